"""The dealing rule: which job may have how many tasks where. Pure.

    asks     The records that the dealing rule works on: users, their jobs, and hosts
    moves    From what was dealt on paper to new grants: few changes, and none that breaks the bounds
    places   Hosts with free slots during one deal, and the host on which a job gets its next slot
    rule     The dealing rule: how many tasks each job may have on each host, dealt on paper
    vacancy  How many cores of a host jobs may hold now, beside what others do there
    weights  Weights of jobs and users: priority, recent use, and time without a slot
"""
