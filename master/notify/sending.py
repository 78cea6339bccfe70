"""One try to send a message to an address. It blocks: callers have a thread for it."""

from __future__ import annotations

from .addresses import Address, Kind
from .message import Message
from .not_sent import NotSent


def send(one: Address, message: Message, on_terminal: bool = False) -> None:
    """Send the message. Raises NotSent, whose reason shows nothing secret of an address.

    `on_terminal`: the user alone reads the reason, so it may have words of a command of their own.
    """
    # Late, each: a run without messages, and `spe --help`, load none of these libraries.
    try:
        if one.kind is Kind.MAIL and one.mail:
            from . import by_mail

            by_mail.send(one.mail, message)
        elif one.kind is Kind.HTTPS:
            from . import by_https

            by_https.send(one.text, message)
        elif one.kind is Kind.COMMAND:
            from . import by_command

            by_command.send(one.text, message, shows=on_terminal or not one.is_private)
        else:
            from . import by_apprise

            by_apprise.send(one, message)
    except NotSent as error:
        raise error.for_people(one) from None
    except Exception as error:
        # A letter with an address that no library takes, say: the run goes on, whatever it is. Not
        # its words, which nobody has looked at for secrets.
        raise NotSent(f"a fault while sending ({type(error).__name__})", again=False) from None
