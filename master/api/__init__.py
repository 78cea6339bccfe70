"""What Python programs may use: `spe.open`, `spe.Sweep` and `spe.watch`, which stand in `spe` itself.

Talking with a master is session/'s job.

    bring_sets     Sets for a sweep that runs, brought to its master
    engine         A `spe run` in a process of its own, as a Python program sees it
    progress_line  One line that says how far a run is: in a notebook, or on a terminal
    run            A run that is over or goes on: its rows, counts, failures, files
    shown          Short texts with which the objects of this room show themselves
    sweep          `spe.Sweep`: a sweep from a Python program, by the same spe.yaml
    typed_rows     Rows that come one by one as JSON: their cells as values
    values         Values of parameters and keys as Python programs give them, as a file would have them
    watch          Follow a running sweep from a Python program
"""
