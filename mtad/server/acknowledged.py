"""Whether the other end of a connection has taken all that was written to it (Linux's SIOCOUTQ, tcp(7))."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios


def has_acknowledged(transport: asyncio.WriteTransport) -> bool:
    """Tell whether the peer's system has confirmed every octet; False when that cannot be told.

    A program that closes before it has read them all resets the connection. So who ends it in order, with nothing
    unconfirmed, has read what it was told.
    """
    if transport.get_write_buffer_size():
        return False
    found = transport.get_extra_info("socket")
    if found is None:
        return False
    try:
        octets = fcntl.ioctl(found.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):  # no such thing here, or closed by now
        return False
    return int.from_bytes(octets, sys.byteorder) == 0
