"""The names that Python programs may import: `spe.watch`, which stands in `spe` itself.

Talking with a master is session/'s job.

    watch  Follow a running sweep from a Python program
"""
