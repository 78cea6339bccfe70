"""The delegate of a user: its orders, the command that hands in a job, and what it takes from a false farm."""
