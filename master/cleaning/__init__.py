"""Leftovers of runs that are over on hosts, for `spe clean`: found, judged and removed.

    hosts    One shell for each host: it looks, and then removes what it is told
    script   The script for a host, and the reader of its answers
    verdict  What may go, and why the rest stays
"""
