"""THE HEART: which task goes where, and what becomes of it. No I/O; time is an argument.

    attempts     What becomes of attempts: accepted, rejected, failed, given up
    black_holes  The black-hole guard: which hosts fail what succeeds elsewhere
    board        What is in motion, and its bookkeeping
    changes      What the dispatch wants remembered
    clients      The clients that registered: who is here, what each must hear of, how many slots are taken
    dispatch     The heart: register, ping, bye and tick, and the parts that do the rest
    doubts       What the guard thinks of a host, applied to the tasks that failed there
    handout      Handing out: which task a client gets, if any
    lifecycle    The tables that move a task, a ticket and a client
    losses       Attempts that end with their host, and who is to blame
    rules        How often a task may be tried, how long silence is borne
    scheduler    Which waiting task a host gets next, and how long a lease lasts
    shortfall    Why a run ends with sets that still wait
    steering     What people decide about a running sweep
    tally        What the dispatch counts for those who look
"""
