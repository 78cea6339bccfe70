"""The software that a sweep brings along: a virtual environment, a container, a prepared folder.

    build         Builds: folders that clients make once a home
    container     The image of `container:`
    host_python   The Python of a host, and the wheels that it can use
    missing       Wheels that cannot be had, as a run tells it
    pip_for       pip, run for the Python of another machine
    pip_words     The reason in what pip prints when it fails
    prepare       The command of `prepare:`
    requirements  Requirements files, read as pip reads them
    roll_call     Hosts describe themselves, and their wheels are chosen together
    software      All builds of a host
    venv          Wheels for `venv:`, chosen once for each kind of Python
"""
