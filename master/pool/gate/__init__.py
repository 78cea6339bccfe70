"""The doors of the farm: a Unix socket, where the kernel names who comes, and HTTPS with tokens.

    access   What a request shows of who sends it: its token and its version
    bodies   Bodies of requests: read within limits, and checked word by word
    committing  Changes of users and tokens are committed before anybody hears of them
    doorstep  The Unix socket: the kernel names who comes, and he is given a token
    heart    What the gate expects of the farm behind it
    https    The HTTPS gate: every request is checked, then a route answers it
    keys     Certificate and key of the farm, made once
    limits   How much one user may ask, and how often the log tells of him
    peers    Who is at the other end of a Unix socket
    public_folder  The folder in which users find the farm: its socket and its address
    routes   What each path of the gate does
    sign_up  Joining by a one-time code, and what administrators do with users
    stream   The stream of changes, as server-sent events
"""
