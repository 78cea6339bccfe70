"""The farm as a service: its heart in memory, its registry, and what its doors ask of them.

    documents  Documents about jobs and hosts for people and delegates, as JSON
    process    The process of a farm: its parts made in order, and its end
    reports    Reads the reports of delegates about their jobs: JSON that anybody may have sent
    service    The farm behind its doors: it deals each second, and stores before it tells
    sights     The hosts as their watchers see them, and how many cores of each may be granted
"""
