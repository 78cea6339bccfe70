"""The way to the master: connection, patience, lease, task records, multipart bodies, last words.

    bound        The bound of programs that a farm's grant sets
    connection   The address of the master and how a connection to it is made
    goodbye      The last words of a client to the master
    lease        The lease: how long the master's last word about our tickets holds
    master       The requests to the master, and patience with one that does not answer
    multipart    Request bodies: multipart/form-data made of bytes and of files, sent in pieces
    reply        The answers of the master: read into memory, or into a file
    task_record  Task records as the master sends them
"""
