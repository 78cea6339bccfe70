"""The client's loop, what it shares with its threads, and the threads: asking, pinging, sending, orders.

    allowed   The programs that people may run on files of a running task
    asking    The thread that asks the master for tasks, and fetches the files that tasks share
    attempts  The way of attempts through the client
    carrier   Carrying out one order of a person
    hands     The client's side of its hands
    inbox     The inbox of the loop: the one way in which threads, hands and signals tell it something
    loop      THE CLIENT'S LOOP: the table of contents of what a client does once it has registered
    orders    The orders of people for running tasks
    pinging   The threads that keep tickets alive: pings, and a long poll in which the master can speak
    prefetch  The number of tasks to ask the master for
    recall    Attempts that have not begun and may go elsewhere
    renewal   Renewal of originals that a program has changed, and the attempts that this costs
    sending   Bringing results to the master: small ones in batches, large ones alone
    talker    The parts that the loop and its threads share, and a thread with a connection of its own
    tickets   The tickets of this client: which are held, which wait for a hand, which a hand has
"""
