"""The listening sockets: made by the supervisor, one for each worker, so that a worker's end loses none.

Of a Unix socket there is one for all of them: whoever is free takes the next client.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mtad.config.forms import Address

BACKLOG = 4096
UNIX_MODE = 0o666  # who may enter the folder may connect
_ADVICE = {
    errno.EACCES: "; ports below 1024 need root or CAP_NET_BIND_SERVICE (docs/how-to/run-with-systemd.md)",
    errno.EADDRINUSE: "; another program listens there, `ss -ltnp` shows which",
    errno.EADDRNOTAVAIL: "; mtad.toml names an address that this machine does not have",
    errno.EAFNOSUPPORT: "; this machine has no IPv6: take that address out of mtad.toml",
}
_UNIX_ADVICE = {
    errno.EACCES: "; this user must be able to write in that folder",
    errno.EADDRINUSE: "; another program listens there (`ss -lxp` shows which), or it is no socket",
    errno.ENOENT: "; the folder is not there",
}


def open_sockets(addresses: Sequence[Address], copies: int) -> list[list[socket.socket]]:
    """Return `copies` lists of listening sockets, each list for all addresses; the kernel shares out clients.

    An address with port 0 gets one free port for all its copies.
    Errors: OSError, with the address in its text; nothing is open then.
    """
    lists: list[list[socket.socket]] = [[] for _ in range(copies)]
    try:
        for address in addresses:
            if address.is_unix:
                with _listening_on_path(address.host) as listening:
                    for sockets in lists:
                        sockets.append(listening.dup())
                continue
            # Sharing a port is for our own copies: another mtad of this user would take its clients away.
            _bound(address.host, address.port, is_shared=False).close()
            port = address.port
            for sockets in lists:
                sockets.append(_listening(address.host, port))
                port = sockets[-1].getsockname()[1]
    except OSError:
        for made in (made for sockets in lists for made in sockets):
            made.close()
        raise
    return lists


def _listening(host: str, port: int) -> socket.socket:
    made = _bound(host, port, is_shared=True)
    made.listen(BACKLOG)
    return made


def _listening_on_path(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _explained(made, path, _UNIX_ADVICE):
        _remove_left_behind(path)
        made.bind(path)
        os.chmod(path, UNIX_MODE)
        made.listen(BACKLOG)
        made.setblocking(False)
    return made


def _remove_left_behind(path: str) -> None:
    """Remove a socket that no process listens on any more: it stays when its process ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        if client.connect_ex(path) == errno.ECONNREFUSED and stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)


def _bound(host: str, port: int, *, is_shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # IPPROTO_TCP by name: asyncio sets TCP_NODELAY only on connections of such a socket.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with _explained(made, f"{host} port {port}", _ADVICE):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.setblocking(False)
    return made


@contextmanager
def _explained(made: socket.socket, where: str, advice: Mapping[int, str]) -> Iterator[None]:
    """Close a socket that cannot be made to listen, and say where, why, and what mends it."""
    try:
        yield
    except OSError as error:
        made.close()
        mend = advice.get(error.errno or 0, "")
        raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}{mend}") from error


class Sockets(NamedTuple):
    """What a node in one process listens on."""

    smtp: Sequence[socket.socket]
    watched: Sequence[socket.socket]  # of [monitoring]


def adopt(descriptors: str) -> list[socket.socket]:
    """Return the sockets that the supervisor handed over, by their numbers with commas between them."""
    return [socket.socket(fileno=int(descriptor)) for descriptor in descriptors.split(",") if descriptor]
