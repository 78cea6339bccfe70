"""Dealing with earlier runs: a changed program, changed `results`, results that are missing.

    decisions      Decide what happens to sets finished by another program, and to failed sets
    extract_again  Extract results again from what is stored, because `results` has changed
    missing        Sets with an empty cell, because a new result was not stored: run them again?
"""
