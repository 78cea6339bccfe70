"""The farm as a service: its heart in memory, its registry, and what its doors ask of them.

    administered  What the administrator's files say is done: hosts, licences, settings, users
    documents  Documents about jobs and hosts for people and delegates, as JSON
    living     Whether a farm of this account runs on this host: its address, its process, its end
    process    The process of a farm: its parts made in order, and its end
    reports    Reads the reports of delegates about their jobs: JSON that anybody may have sent
    reread     A file of the administrator that is read again when it changes
    service    The farm behind its doors: it deals each second, and stores before it tells
    sights     The hosts as their watchers see them, and how many cores of each may be granted
"""
