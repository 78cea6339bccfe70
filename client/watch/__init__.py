"""The watcher: it tells a farm what goes on on a host. Sent on standard input, installed nowhere.

    accounts  The processor time of each account, and the processes that take most of it
    report    What a watcher tells of its host, as one dictionary
    watcher   The watcher: it prints a line each interval until its SSH session is gone
"""
