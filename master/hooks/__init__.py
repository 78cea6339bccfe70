"""The user's functions, called in a process of their own.

    call_queue  Calls go in, answers come out in the same order, a hang is killed
    child       The hook process (`python -m spe.hooks.child`)
    hooks       The user's own functions, as the rest of the master calls them
    messages    What the master and the hook process say to each other
    process     One life of the hook process, seen from the master
    views       What a function of hooks.py is given
"""
