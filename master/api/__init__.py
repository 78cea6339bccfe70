"""What Python programs may use: `spe.open` and `spe.watch`, which stand in `spe` itself.

Talking with a master is session/'s job.

    run    A run that is over or goes on: its rows, counts, failures, files
    watch  Follow a running sweep from a Python program
"""
