"""The farm: it deals out slots of shared hosts to the jobs of many users.

It leaves to a user's delegate what runs as that user.

    farm         The farm's heart: jobs, hosts and users in memory, and what each job is granted
    file_settings  The settings of a farm that stand in its hosts file
    holding      The slots that a job holds: the most tasks that it may have out on a host
    hosts_file   The hosts file of a farm: host lines with what jobs may use there, and licences
    ledger       Who held which slots when, at which price, and what that makes of each account
    members      Who is a user of the farm: users, tokens, and one-time codes, in memory
    permissions  Who may do what: one pure function
    rows         Records of the farm, one for each kind of row in its registry
    silence      Jobs of which nothing is heard, and where it is known that no client of theirs is left
    texts        Names and texts that strangers send: their lengths and characters
    users_file   The users file of the administrator, and which accounts `anyone` means
    why          Why a job has the slots that it has, by the numbers of the rule
"""
