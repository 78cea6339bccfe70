"""The processes that run programs. A hand talks to its client only.

    channel     Messages between the client and its hands, over a pair of sockets
    children    Waiting for programs, and for what they left behind
    hand        What a hand does: the steps of its loop and the orders of its client
    held_back   Reports that are held back for a moment after their program's end, while its slot already works on
    process     THE HAND'S LOOP: the process that starts programs, waits for them and ends them
    task_files  The files of a hand's tasks
    timeouts    The times of running programs
    wakeup      How a loop is woken: by signals, by other processes, and by other threads
"""
