"""The software that a sweep brings along: what this host makes of it before the first task.

    build     A folder that is made once a home, whoever comes first
    python    The Python that tasks find, as the master has to know it
    software  Environment, image and prepared folder of a sweep on this host
"""
