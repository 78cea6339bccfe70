"""How a client ends: its exit codes, and the one sentence that goes with each."""

OK = 0
OTHER = 1
USAGE = 2
NOT_REACHED = 3
REFUSED = 4
CERTIFICATE = 5
WORKDIR = 6
SETUP = 8
WORKER = 9


class Ending(Exception):
    """The client can't or needn't go on. `text` is one line for people, `code` the exit code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text

    def __str__(self) -> str:
        return self.text


class SessionRefused(Ending):
    """The master does not know this session, or will not let it do this (403)."""

    def __init__(self, text: str) -> None:
        super().__init__(REFUSED, text)
