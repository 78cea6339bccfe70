"""The hosts of a run: started, looked after, started again, given up.

It leaves to launch/ how a client gets to a host.

    fleet       The hosts of a run: each is started in parallel, looked after (by upkeep.py)
    hosts_file  A hosts file that changes while the sweep runs
    life        One start of a host, and what the dispatch knows of the client that came of it
    starts      The starts of one host in a run, and what follows from how each ended
    upkeep      The care for one host
"""
