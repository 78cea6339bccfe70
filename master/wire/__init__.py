"""The clients' door: HTTP, task records, multipart bodies. It leaves to desk/ what the requests mean.

    accepting       Connections from the moment the system hands them over until they have shown that they belong here
    body            The body of a request
    intake          Where the parts of a body go
    large_inputs    Input files that are fetched by their SHA-256
    many_results    A body with the reports of many tickets, as `POST /results` takes it
    multipart       Reads multipart/form-data
    multipart_head  Headers of multipart/form-data
    records         The wire as text: what the replies of docs/protocol.md look like
    routes          The protocol's door: aiohttp routes that read a request
    server          One listening HTTP server
    spool           The files of one request while it is being received
"""
