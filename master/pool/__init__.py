"""The farm: it deals out slots of shared hosts to the jobs of many users.

It leaves to a user's delegate what runs as that user.

    holding  What a job holds on each host: the most tasks that it may have out there
    rows     What the farm keeps: a record for each row of its registry
"""
