"""The watchers: one on each host, by the farm's own ssh, and what they tell.

    here      A watcher on the farm's own host, as a child process
    line      A line of a watcher: read as untrusted input
    one_host  One host: its watcher is started, heard, and started again
    program   The watcher as a program that is sent on standard input
    same      Two names of one machine, and one name of two
    seen      What a watcher tells of its host
    turns     Turns for handshakes: only so many hosts at once, and none that hangs blocks others
    watchers  The watchers of all hosts of a farm
"""
