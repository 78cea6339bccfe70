"""The client's files on a host: its folder, the cache, the originals; making, holding and removing them.

    anchor          The folder in which the client and its hands stand
    cache           The worker on this host
    clearing        Removing the folders of clients, those of dead ones of any session and our own
    folders         Making folders so that they can be unmade
    holding         Folders of clients, open
    lock            A lock file for hosts that share a file system
    originals       Worker and inputs that many tasks share
    own_folder      The client's own folder on a host
    passed_folders  Giving open folders to another process
    removal         Removing trees of folders, however deep they are and however long their paths are
    setup           `setup:` of spe.yaml
    writers         Accounts that may write where a client works, besides its own
"""
