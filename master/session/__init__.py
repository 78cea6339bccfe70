"""runs/<name>/ of a living run: its folder, lock, secrets and certificate, and talking to its master.

    anchors          Files and folders held by themselves and not by their names
    calling          Requests to the master of a running sweep, from another process on its machine
    certificate      The master's certificate
    detached         A run without a terminal
    folder_identity  The identity of a folder, which a copy of it does not have
    forwarding       The line for a person who is logged in over SSH: how to open the page
    known_runs       The runs that there are below runs/, for whoever names one that is not there
    living           The run that goes on in a folder, if one does
    lock             One spe at a time works on a sweep
    run_folder       runs/<name>/ of a run that goes on, wherever people move it meanwhile
    run_list         The runs of this account, for `spe ls`
    runners          Who runs a sweep now, and waiting for the end of that run
    session          A session's secrets and its place on disk
    stamps           Signatures of files, and their identity
    waiting          The mark of a process that waits to run a sweep
"""
