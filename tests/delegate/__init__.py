"""The delegate of a user: its orders, and what it takes from a farm whose account has been taken over."""
