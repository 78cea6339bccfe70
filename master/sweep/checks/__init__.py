"""Checks of one sweep as a whole, before anything runs: errors and warnings.

    names     Checks of names: unknown ones, and names used twice
    warnings  Warnings about likely mistakes
"""
