"""A client brought to a host by SSH. Only this room knows paramiko and scp.

config/ knows what the user's ssh configuration says; programs/ talks with what runs on a host.

    certificates  Certificates of the user's keys
    connect       Connect and log in to a host, with tries for an sshd that is too busy
    connection    A connection that is logged in, and all that it goes through
    copying       Copy the client to a host that lacks it, one host of a shared home at a time
    dial          The way to an SSH server: TCP, a jump host, or a ProxyCommand
    forward       The master's port brought to a host through its SSH connection (ssh -R)
    keys          The keys to log in with
    known_hosts   The user's known_hosts files
    login         Logging in: each key in turn, no prompt, and an error that says what to do
    remote        The shell script that runs on a host before the client does
    remote_shell  The only way to run a script on a host
    shell_start   Start a shell on a host, and wait until it says that it reads our script
    ssh           The launcher of a host over SSH: start the client, keep its connection
    traces        Files that a start leaves on a host, and their removal
    transfer      Copying the client to a host with scp, whole, under a temporary name
"""
