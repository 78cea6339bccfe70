"""`spe jobs cancel`."""

from .steer_jobs import jobs_command

command = jobs_command(
    "cancel",
    "cancelled; what runs of it is ended",
    """End jobs: what runs of them is ended, and results that are there stay.

    \b
    Example: spe jobs cancel 17
    Example: spe jobs cancel --mine
    """,
)
