"""The heart: which task goes where and what becomes of it, in virtual time."""
