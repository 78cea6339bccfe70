"""The clients' door: HTTP, task records, multipart bodies.

    accepting       Connections until they have shown the session ID: how many, for how long
    body            The body of a request, read at once or in chunks; slow senders are cut off
    files           The files that clients fetch: worker, client, large inputs
    guard           Requests with the session ID pass; any other learns nothing but 403
    intake          The parts of a body, stored in memory or in files
    large_inputs    Large input files, found by their SHA-256
    many_results    The body of `POST /results`: reports of many tickets
    multipart       The parser of multipart/form-data
    multipart_head  The parser of its headers
    open_files      The limit of open files, and how many connections may take
    query           The query of a request: numbers, texts, tickets
    records         The replies of docs/protocol.md as text
    routes          One handler a path
    server          One listening HTTP server: TLS, connections, answers to what is not HTTP
    spool           The files of one request while it is being received
"""
