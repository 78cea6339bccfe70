"""The client's loop, what it shares with its threads, and the threads: asking, pinging, sending, orders.

    allowed    What may be asked of a running task
    delivery   Bringing what came of tickets to the master
    hands      The client's side of its hands
    load       What others do on this host
    loop       THE CLIENT'S LOOP: the table of contents of what a client does once it has registered
    orders     Orders: what a person wants to see of a running task, or to have done with it
    prefetch   How much is worth fetching before a slot is free
    processes  The processes of the running tasks, as a person wants to see them
    renewal    Renewal of originals that a program has changed, and the attempts that this costs
    sending    Bringing results: small ones in batches, as many as have gathered since the last
    slots      Free slots and what may be fetched ahead of them
    talker     A thread of the client with a connection to the master of its own
    threads    The threads that talk with the master
    tickets    The tickets of this client and all else that the loop and the threads that talk with the master share
"""
