"""A run and what runs of before have left: changed programs, results that are extracted again, results that are
missing.

    decisions      Decides what a run does with finished sets of another program, and with failed sets
    extract_again  Extract results again from what is stored, because `results` of spe.yaml has changed
    missing        Rows with an empty cell, because a new result was not stored
"""
