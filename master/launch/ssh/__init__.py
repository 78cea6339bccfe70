"""A client brought to a host by SSH. Only this room knows paramiko and scp.

    algorithms    The methods of encryption that the ssh configuration names
    ask_ssh       `ssh -G HOST`: ssh is asked what the configuration means
    certificates  Certificates of the user's keys
    config        The user's ssh configuration: ssh is asked, or without it the files are read
    connect       Connect and log in to a host, with tries for an sshd that is too busy
    connection    A connection that is logged in, and all that it goes through
    copying       Copy the client to a host that lacks it, one host of a shared home at a time
    criteria      Host and Match lines, where there is no ssh to ask
    dial          The way to an SSH server: TCP, a jump host, or a ProxyCommand
    forward       The master's port brought to a host through its SSH connection (ssh -R)
    keys          The keys to log in with
    known_hosts   The user's known_hosts files
    login         Logging in: each key in turn, no prompt, and an error that says what to do
    read_config   The reading of ssh_config where there is no ssh to ask
    remote        The shell script that runs on a host before the client does
    remote_shell  The only way to run a script on a host
    settings      A question to the ssh configuration and its answer, of either way
    ssh           The launcher of a host over SSH: start the client, keep its connection
    target        What the ssh configuration means for a host, as one typed value
    tokens        %h, ${NAME} and ~ in values of ssh_config
    traces        Files that a start leaves on a host, and their removal
    transfer      Copying the client to a host with scp, whole, under a temporary name
    warn_once     Warnings about the ssh configuration, each told once
"""
