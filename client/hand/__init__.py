"""The processes that run programs. A hand talks to its client only.

    above       A hand's look at the client above it, which a program may have stopped
    channel     Messages between the client and its hands
    children    Waiting for programs, and killing what they left behind
    hand        The steps of a hand's loop and what it does at the orders of its client
    held_back   Reports that are held back for a moment after the end of a program
    process     THE HAND'S LOOP: the process that starts programs, waits for them and ends them
    task_files  The files of a hand's tasks
    timeouts    The time limits of programs
    wakeup      The wake-up pipe of a loop
"""
