"""One method a verb, of clients and of people: ask the dispatch, judge, store, answer. No HTTP.

    acts            What people may do to a running sweep
    arrivals        What clients bring: each report is looked at, judged, stored
    desk            The master's use cases, one method for each verb of the protocol
    events          The newest events of a run, one sentence each, for those who look at it now
    judging         From what arrived to a verdict
    long_poll       Requests that are held until something happens or their time is over
    orders          Orders to clients: a look into a running task, a pause
    questions       Whom to ask about what runs now, and the way to get an answer
    untrusted_json  JSON that somebody sends: all that can be wrong with it is a ValueError
"""
