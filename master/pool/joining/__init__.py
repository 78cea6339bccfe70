"""Joining a farm, on the side of its user: checks, token, and pinned address.

These files use the standard library only.

    answering  The farm's gate, asked by a user: HTTPS with the pinned certificate
    cards    What a user keeps of each farm: token, pinned address, and the hosts that he accepts
    invitations  An invitation: the one-time code with port and key of the gate
    knocking  Get a token from a farm: at its socket here, or there by the user's own ssh
    socket_check  Runs on the farm's host: check whose the socket is, and ask it for a token
    trying   Try each host by the user's own ssh
"""
