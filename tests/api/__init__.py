"""What programs in Python may use, as they use it."""
