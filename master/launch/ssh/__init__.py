"""A client brought to a host by SSH. Only this room knows paramiko and scp.

    connect       One SSH connection: name, TCP or jump hosts, host key, login
    forward       The master's port brought to a host through its SSH connection (ssh -R)
    keys          The keys to log in with
    known_hosts   The user's known_hosts files
    login         Logging in: each key in turn, no prompt, and a message that says what to do when none is taken
    remote        What runs on the host before the client does
    remote_shell  The one way to run a script on a host
    ssh           A host over SSH: start the client
    target        What ~/.ssh/config says about a host, as one typed value
    traces        What a start puts on a host, and its removal
    transfer      Copying the client to a host with scp, whole, under a temporary name
"""
