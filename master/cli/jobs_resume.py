"""`spe jobs resume`."""

from .steer_jobs import jobs_command

command = jobs_command(
    "resume",
    "goes on",
    """Let paused jobs have slots again.

    \b
    Example: spe jobs resume 17 18
    """,
)
