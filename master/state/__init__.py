"""The state of a sweep for people: as one document, in words, on a terminal; when it will end; why a set waits.

    blockers     Reasons why hosts get no work now, written down by the run for why.py
    censored     Lengths of sets of which some have not ended yet
    document     The one document that says how a sweep stands
    expectation  When a running sweep will end: what its dispatch knows, put together for forecast.py
    forecast     How long a sweep will still take, as a range
    host_states  The state of a host in one word, and why
    job_report   What the master of a farm's job reports to its farm
    lines        How a sweep stands, as words for a terminal
    patch        JSON merge patches (RFC 7396)
    progress     What `spe run` shows while it runs
    terminal     What is shown live on a terminal
    why          Why a set does not run now, in sentences, for `spe why` and its page
"""
