"""One sweep from its start to its end.

It leaves to fleet/ which hosts are started, to earlier/ what runs of before have left.

    address        Where the master listens, and what others call that place
    collect_again  `spe collect`: what is stored is judged and collected again, after a hook was mended
    feeding        Parameter sets on their way
    gathering      The gather hooks of a run
    interrupts     A run that is told to end
    lost_files     Sets that are done but whose result files somebody has removed
    run            One sweep from start to end
    safekeeping    Keeps what a run writes in reach of its user
    tables         results.csv and its companions, from the store
"""
