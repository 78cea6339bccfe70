"""The farm: how it deals, what it keeps, and who may ask it."""
