"""The run of a sweep, from its start to its end.

The fleet decides which hosts are started, and earlier/ what becomes of the results of earlier runs.
printing/ prints sets once they have ended (`--lines`, `--rows`).

    address        The place where the master listens, and what others call it
    collect_again  `spe collect`: stored results are judged and collected again, after a hook was mended
    feeding        The way of the parameter sets: source, store, dispatch
    gathering      The gather hooks of a run
    goodbye        The end of a run as clients see it
    interrupts     The signals that tell a run to end
    options        The options of a run, as the command line gives them
    outcome        The outcome of a run, and why sets still wait
    preparing      The files that `prepare:` works with
    rescue         Rescue of a run whose folder or result files were removed
    run            The run of a sweep, from start to end
    safekeeping    A look each second, so that what is written stays in reach
    serving        The time in which a run hands out its sets
    tables         results.csv and its companions, from the store
    wiring         The parts of one run, made in order
"""
