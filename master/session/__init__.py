"""runs/<name>/ of a living run: its folder, lock, secrets and certificate, and talking to its master.

    anchors          Files and folders held by themselves and not by their names
    calling          Talks with the master of a running sweep, from another process on its machine
    certificate      The master's certificate
    detached         A run without a terminal
    folder_identity  Whether a file was written in the folder that it lies in now
    living           Whether a run of a folder lives
    lock             One spe at a time works on a sweep
    run_folder       runs/<name>/ of a run that goes on, wherever people move it meanwhile
    session          A session's secrets and its place on disk
"""
