"""The delegate of a user: its orders, and the command that hands in a job."""
