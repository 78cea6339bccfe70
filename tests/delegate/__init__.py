"""The delegate of a user: its orders."""
