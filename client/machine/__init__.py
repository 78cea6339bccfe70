"""What the system tells and does: facts of this machine, its processes, its memory; calls with a time limit.

    bounded        Calls that may hang, waited for with a time limit
    facts          What this host is: its name, platform, cores
    load           The load, memory and disk of this host, without what our own tasks take
    out_of_memory  Whether the system has ended programs here because memory ran out
    process_tree   Trees of processes: who is below whom, and how to end them all, also those that left their group
    processes      The processes of the running tasks, as a person wants to see them
"""
