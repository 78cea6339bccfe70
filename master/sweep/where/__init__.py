"""Conditions about the cells of a set: the `where` of a sweep, and of its table.

    compiled   A condition as a function of Python, many times faster than jinja's
    condition  A condition, and the cells as it sees them
    numbers    Texts as numbers that know how they were written
"""
