"""What the programs of ended sets printed.

    outputs  All that a set printed, or the end of it, as far as it is stored
"""
