"""The hosts of a run: started, looked after, started again, given up.

It leaves to launch/ how a client gets to a host.

    fleet        The hosts of a run: each is started in parallel, looked after (by upkeep.py)
    fleet_hosts  The hosts of a run for the verbs that change them
    granted_hosts  The hosts of a farm's job: started when they are granted, drained when they are not
    hosts_file   A hosts file that changes while the sweep runs
    life         The client that came of one start of a host, as the dispatch knows it
    making       The time in which hosts make the software of a sweep, as people see it
    same_faults  Software faults, told once for all hosts that have the same one
    starts       The starts of one host in a run, and what follows from the end of each
    upkeep       The care for one host: its client is started, watched, and started again when it vanishes
    waking       Notices that this master was suspended
"""
