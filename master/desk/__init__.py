"""The use cases of clients and of people, one method a verb: ask the dispatch, judge, store, answer.

    acts            The verbs of people about a running sweep
    arrivals        The reports of clients: each is judged, stored, answered
    conclusions     The end of each attempt: the dispatch's decision, and the answer to the client
    desk            The master's use cases, one method for each verb of the protocol
    events          The newest events of a run, one sentence each, for those who look at it now
    held_requests   The held requests of all clients, and calls for prefetched tickets
    judging         From what arrived to a verdict
    long_poll       Long polls: requests that are held until something happens
    orders          Orders to clients: a look into a running task, a pause
    pings           Pings of clients: they renew leases, and are told what has expired
    questions       Questions about what runs now, by orders to clients
    reports         Reports of clients about tickets, with the verdict about them
    result_files    The files of results, on their way to their place
    untrusted_json  JSON that somebody sends: all that can be wrong with it is a ValueError
    work            The facts of a sweep, and the work of each ticket
"""
