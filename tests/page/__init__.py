"""The page in a real browser, its stream, and what it is made of."""
