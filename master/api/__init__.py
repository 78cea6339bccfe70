"""What programs in Python may use: `spe.watch`, which stands in `spe` itself.

It leaves talking with a master to session/.

    watch  A consistent copy of how a running sweep stands, for programs in Python
"""
