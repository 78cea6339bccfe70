"""THE HEART: which task goes where, and what becomes of it. No I/O; time is an argument.

    black_holes  The black-hole guard
    board        What is in motion, and its bookkeeping
    changes      What the dispatch wants remembered
    dispatch     The heart: what happens on register, task, ping, complete, failed, bye and tick
    handout      Handing out: which task a client gets, if any
    lifecycle    The one table that moves a task, and the one that moves a ticket
    rules        How often a task may be tried, how long silence is borne
    scheduler    Which waiting task a host gets next, and how long a lease lasts
    shortfall    Why a run ends with sets that still wait
    steering     What people decide about a running sweep
    tally        What the dispatch counts for those who look
"""
