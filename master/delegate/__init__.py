"""A user's own process that talks with a farm and runs the user's jobs, as the user.

It starts only what its user has submitted, by its own copy of each order. Of a host it takes a name
from the farm, and of a grant numbers.

    address  Where a farm is now: only the pinned farm is followed
    answers  Reads what a farm grants: of a host its name, and numbers
    delegate  The loop: grants come in, masters are started and told, reports go out
    finding   Where the run of a job is, by the job's number
    jobs     The jobs of a farm as its gate tells them, and what one of them waits for
    masters   The master of one job: started, told its grant, asked for its report
    orders    Orders of a user to the delegate: its own copy of each job that was submitted
    starting  One delegate a user and host: started by the first command that needs it
    submitting  A job handed to a farm: posted, kept as an order, and its delegate started
    trouble  What keeps a delegate from its farm: noted for `spe jobs`
"""
