"""A bad network for one host of the lab, where the kernel has no netem: each frame is late, or lost.

    python relay.py NAMESPACE DEVICE BRIDGE MILLISECONDS PERCENT

Stands between the host's cable and the bridge: frames are read from the one and written to a tap device in the other.
Says `up` when it does. The cable goes back into the bridge by whoever ends it.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

TUNSETIFF, TAP_NO_PI = 0x400454CA, 0x1002
SIOCETHTOOL, OFFLOADS = 0x8946, (0x17, 0x19, 0x1F, 0x24)  # STXCSUM, SSG, STSO, SGSO
PACKET_ADD_MEMBERSHIP, PROMISCUOUS, ALL = 1, 1, 3


def without_offload(device: bytes) -> None:
    """Frames are relayed as they are: their checksums and sizes must be made by the host, not later by a card."""
    for command in OFFLOADS:
        value = ctypes.create_string_buffer(struct.pack("II", command, 0))
        with contextlib.suppress(OSError):  # off already, as a consequence of another
            fcntl.ioctl(socket.socket(), SIOCETHTOOL, struct.pack("16sP16x", device, ctypes.addressof(value)))


def main(space: str, device: str, bridge: str, milliseconds: float, percent: float) -> None:
    inside = ["nsenter", f"--net=/run/netns/{space}", sys.executable, __file__]
    subprocess.run(inside, check=True)
    tap, name = os.open("/dev/net/tun", os.O_RDWR), f"{device}t"
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), TAP_NO_PI))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    subprocess.run(["ip", "link", "set", device, "nomaster"], check=True)
    raw.bind((device, 0))
    member = struct.pack("iHH8s", socket.if_nametoindex(device), PROMISCUOUS, 0, b"")
    raw.setsockopt(263, PACKET_ADD_MEMBERSHIP, member)  # 263: SOL_PACKET
    subprocess.run(["ip", "link", "set", name, "up", "master", bridge], check=True)
    print("up", flush=True)
    relay(tap, raw, milliseconds / 1000, percent / 100)


def relay(tap: int, raw: socket.socket, delay: float, loss: float) -> None:
    late: list[tuple[float, int, bool, bytes]] = []
    number = 0
    while True:
        wait = max(0.0, late[0][0] - time.monotonic()) if late else None
        for ready in select.select([tap, raw], [], [], wait)[0]:
            outwards = ready is raw
            if outwards:
                frame, place = raw.recvfrom(65536)
                if place[2] == socket.PACKET_OUTGOING:
                    continue
            else:
                frame = os.read(tap, 65536)
            if random.random() >= loss:
                number += 1
                heapq.heappush(late, (time.monotonic() + delay, number, outwards, frame))
        while late and late[0][0] <= time.monotonic():
            _, _, outwards, frame = heapq.heappop(late)
            with contextlib.suppress(OSError):  # a full queue, a link that is down: the frame is lost
                os.write(tap, frame) if outwards else raw.send(frame)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        without_offload(b"eth0")
    else:
        main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
