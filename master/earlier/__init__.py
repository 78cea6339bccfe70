"""Dealing with earlier runs: a changed program, changed `results`, missing results, a set by hand.

    by_hand        What a stored set runs, as far as it is known, and the script that runs it
    decisions      Decide what happens to sets finished by another program, and to failed sets
    designs        The design of a sampler: extended, or another one
    extract_again  Extract results again from what is stored, because `results` has changed
    hand_script    The shell lines that run one set by hand
    kept_command   The command of a sweep as the store keeps it
    missing        Sets with an empty cell, because a new result was not stored: run them again?
    paste_words    Texts and files as lines for a shell that survive being pasted
"""
