"""Sends a message by e-mail, through the mail server that the address names."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate

from ..disk_errors import reason
from .addresses import Mail
from .message import Message
from .not_sent import NotSent

LIMIT = 10.0  # seconds that the server may be silent
_LASTS = 500  # SMTP: from here on another try is answered in the same way


def send(mail: Mail, message: Message) -> None:
    """Send it. Raises NotSent."""
    try:
        with _connected(mail) as server:
            if mail.user:
                server.login(mail.user, mail.password)
            refused = server.send_message(_letter(mail, message), to_addrs=list(mail.to))
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(error.recipients) from error
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        what = f"the mail server {mail.server} answered {error.smtp_code}"
        raise NotSent(what, again=error.smtp_code < _LASTS, said=words) from error
    except ssl.SSLCertVerificationError as error:
        what = f"the certificate of {mail.server} is not trusted: {error.verify_message}"
        raise NotSent(what, again=False) from error
    except TimeoutError as error:
        raise NotSent(f"the mail server {mail.server} was silent for {LIMIT:g} s") from error
    except smtplib.SMTPServerDisconnected as error:
        # So smtplib calls a server that is silent after its greeting, too.
        what = f"the mail server {mail.server} has hung up, or was silent for {LIMIT:g} s"
        raise NotSent(what) from error
    except smtplib.SMTPNotSupportedError as error:
        raise NotSent(f"the mail server {mail.server} cannot do it", False, str(error)) from error
    except (smtplib.SMTPException, OSError) as error:
        # Most errors of smtplib are OSErrors without a number.
        what = reason(error) if isinstance(error, OSError) and error.errno else type(error).__name__
        raise NotSent(f"the mail server {mail.server}, port {mail.port}: {what}") from error
    if refused:
        raise _refused(refused)


def _refused(recipients: object) -> NotSent:
    codes = [code for code, _ in recipients.values()] if isinstance(recipients, dict) else []
    what = f"the mail server refused {len(codes)} of the e-mail addresses: {', '.join(map(str, sorted(set(codes))))}"
    return NotSent(what, again=all(code < _LASTS for code in codes))


def _connected(mail: Mail) -> smtplib.SMTP:
    """Return the connection, encrypted as the address says. The certificate is checked."""
    name = socket.gethostname()
    if mail.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(mail.server, mail.port, name, timeout=LIMIT, context=context)
    server = smtplib.SMTP(mail.server, mail.port, name, timeout=LIMIT)
    try:
        if mail.security == "starttls":
            server.starttls(context=ssl.create_default_context())
    except BaseException:
        server.close()
        raise
    return server


def _letter(mail: Mail, message: Message) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = " ".join(message.subject.split())
    letter["From"] = mail.sender or f"{_account()}@{socket.gethostname()}"
    letter["To"] = ", ".join(mail.to)
    letter["Date"] = formatdate(localtime=True)
    # The same at each try: mail servers drop what they know already.
    letter["Message-ID"] = f"<{message.ident}@{socket.gethostname()}>"
    letter["Auto-Submitted"] = "auto-generated"  # no answer of somebody on holiday
    letter.set_content(message.text)
    return letter


def _account() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # this user has no name
        return "spe"
