"""Ports of loopback for programs that are told theirs before they start.

A port that the system chooses is one of those that it gives to outgoing connections too: between the choice and the
program's start, anybody's connection may take it. These lie below that range.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_RANGE_LOW = 32_768  # Linux's own
_LOWEST = 10_240
_TRIES = 200


def free_port(*taken: int) -> int:
    """Return a port that nobody listens on now, none of those taken. Errors: OSError when none is found."""
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST, _first_of_outgoing())  # noqa: S311 - nobody is to be surprised
        if port not in taken and is_free(port):
            return port
    raise OSError("no port of loopback is free")


def is_free(port: int) -> bool:
    """Tell whether nobody listens there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _first_of_outgoing() -> int:
    low = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else _RANGE_LOW
    return min(low, _RANGE_LOW) if low >= 2 * _LOWEST else _RANGE_LOW
