"""`spe run --lines` and `--rows`: sets are printed on stdout once they have ended.

    forms     The forms in which a set is printed: what its program printed, or its row
    printing  The thread that prints, and the order in which it does
"""
