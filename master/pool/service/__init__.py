"""The farm as a service: its heart in memory, its registry, and what its doors ask of them.

    documents  What people and delegates are told of jobs and hosts, as JSON
    process    The process of a farm: its parts made in order, and its end
    reports    What a delegate reports of its jobs, read from JSON that anybody may have sent
    service    The farm behind its doors: it deals each second, and stores before it tells
    sights     What watchers see of the hosts, and how many cores of each may be granted for it
"""
