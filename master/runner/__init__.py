"""One sweep from its start to its end.

It leaves to fleet/ which hosts are started, to earlier/ what runs of before have left.

    address        Where the master listens, and what others call that place
    collect_again  `spe collect`: what is stored is judged and collected again, after a hook was mended
    feeding        Parameter sets on their way
    gathering      The gather hooks of a run
    goodbye        The end of a run as clients see it
    interrupts     A run that is told to end
    lost_files     Sets that are done but whose result files somebody has removed
    options        What the command line decides about a run
    outcome        How a run ended, and why sets still wait
    rescue         A new place for the folder of a run that was removed
    run            One sweep from start to end
    safekeeping    Keeps what a run writes in reach of its user
    serving        The time in which a run hands out its sets
    tables         results.csv and its companions, from the store
    wiring         The parts of one run, made in order
"""
