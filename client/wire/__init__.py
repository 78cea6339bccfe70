"""The way to the master: connection, patience, lease, task records, multipart bodies, last words.

    connection   Where the master is and how a connection to it is made
    goodbye      The last words of a client to the master
    lease        How long the master's last word about our tickets holds
    master       The way to the master
    multipart    A multipart/form-data body made of bytes and of files, sent in pieces
    task_record  Reads task records off the wire
"""
