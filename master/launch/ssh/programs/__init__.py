"""Programs on a host that we talk with for as long as they run.

    talk  A Python program sent on standard input, whose input stays open
"""
