"""One method a verb, of clients and of people: ask the dispatch, judge, store, answer. No HTTP.

    acts            What people may do to a running sweep
    arrivals        What clients bring: each report is looked at, judged, stored
    brief           What the desk knows of the sweep, and what it gives to clients
    desk            The master's use cases, one method for each verb of the protocol
    events          The newest events of a run, one sentence each, for those who look at it now
    held_requests   The held requests of all clients, and calls for prefetched tickets
    judging         From what arrived to a verdict
    long_poll       Requests that are held until something happens or their time is over
    orders          Orders to clients: a look into a running task, a pause
    pings           Renew the leases of tickets, and tell which have expired
    questions       Whom to ask about what runs now, and the way to get an answer
    reports         What clients say of tickets
    result_files    The files of results, on their way to their place
    untrusted_json  JSON that somebody sends: all that can be wrong with it is a ValueError
    work_maker      From a ticket to what its client runs
"""
