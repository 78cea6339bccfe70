"""Messages to people about a run: done, the first failure, stalled, given up (`notify:`).

It never holds up a run or ends one: what cannot be sent is a warning. Which recipients `notify:` may
have is checked in config/notify/, and the moments at which a run looks are runner/'s.

    address_book  The user's own file of addresses, and who is told
    addresses     An address as the sender needs it
    by_apprise    Sends a message through Apprise
    by_command    Runs a command of the user that tells of a message
    by_https      Sends a message as the JSON body of a POST request
    by_mail       Sends a message by e-mail
    courier       Sends messages beside a run, and remembers what was sent
    due           Which messages are due, and which were sent
    message       A message: its subject, its lines, and its record
    not_sent      The error of a message that could not be sent, without secrets
    notices       The messages of one run
    sending       One try to send a message to an address
"""
