"""The client's own folder on a host: making, holding and removing it; set-up and login shell.

    anchor          The folder in which the client and its hands stand
    clearing        Removing the folders of clients: those of dead ones of any session, and our own
    folders         Making folders so that they can be unmade
    holding         Open folders of clients, and who holds them
    lock            A lock file for hosts that share a file system
    login_shell     The login shell of this account, and what it would find
    own_folder      The client's own folder on a host
    passed_folders  Passing open folders to another process
    removal         Removing trees of folders, however deep they are and however long their paths are
    setup           The `setup:` of spe.yaml, and the environment that it makes
    shared_folder   Folders in the cache that several clients use; the last one removes it
    writers         Accounts that may write where a client works, besides its own
"""
