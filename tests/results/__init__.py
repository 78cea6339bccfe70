"""From what a program wrote to a value in the table; evidence, leftovers, table files."""
