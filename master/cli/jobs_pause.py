"""`spe jobs pause`."""

from .steer_jobs import jobs_command

command = jobs_command(
    "pause",
    "paused; running tasks may finish",
    """Give jobs no more slots. Running tasks may finish.

    \b
    Example: spe jobs pause 17 18
    """,
)
