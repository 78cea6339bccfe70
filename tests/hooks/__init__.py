"""The user's own functions, in real processes."""
