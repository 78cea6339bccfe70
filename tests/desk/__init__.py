"""The verbs of clients and of people, with a real dispatch, store and judges."""
