"""When the next ticket may be handed out: limits of a run, pauses of tasks, and the guard that ends a run.

    alike      The guard against a cause that fails all sets alike
    back_offs  Tasks that wait for their next attempt until a moment
    grants     How many tasks a job of a farm may have begun on each host
    limits     How many tickets are out at a time, and how fast they follow each other
"""
