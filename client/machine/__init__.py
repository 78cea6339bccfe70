"""What the system tells and does: facts of this machine, its processes, its memory; calls with a time limit.

    attributes     What a file carries beside its content: attributes, access lists, flags, mode and owner
    bounded        Work that may hang, as everything in a home may whose server is away
    facts          What this host is: its name, platform, cores
    out_of_memory  Whether the system has ended programs here because memory ran out
    process_tree   Trees of processes: who is below whom, and how to end them all, also those that left their group
"""
