"""The user's functions, called in a process of their own.

    call_queue  The calls, and the process that answers them: a hanging call is killed
    child       The hook process (`python -m spe.hooks.child`)
    hooks       The user's functions, as the rest of the master calls them
    messages    The messages between the master and the hook process
    process     A life of the hook process, seen from the master
    views       The task and the result as a function is given them
"""
