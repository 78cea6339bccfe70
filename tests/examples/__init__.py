"""Each example from a clean copy, with its own commands."""
