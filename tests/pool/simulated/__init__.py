"""A farm on simulated time: the real heart of the farm, its ledger and its rule, with pretended masters and hosts.

    arrivals  Users, their jobs and the hosts of a simulated farm, by chance
    hours     The hours of a simulated farm, second by second, and what was seen in them
    master    A pretended master: clients that start and linger, tasks of known lengths, reports as real ones
    seen      What is seen in a simulated farm, and the figures that it makes
"""
