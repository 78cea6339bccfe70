"""The machine below the client: facts, processes, memory, load; calls with a time limit.

    attributes     What a file carries beside its content: attributes, access lists and flags
    bounded        Calls that may hang, each with a time limit
    facts          Facts of this host: its name, its platform, its cores, its processes
    load           The load, memory and disk of this host, without what our own tasks take
    neighbours     Neighbours: other accounts whose clients of spe work on this host
    out_of_memory  The reason why the system ended a program: memory, or the size of a file
    piped_program  Programs whose output comes through a pipe, piece by piece
    process_limit  The limit on processes and threads, where the system starts no more of them
    process_tree   Trees of processes: who is below whom, and how to end them all
    processes      The processes of the running tasks, as a person wants to see them
"""
