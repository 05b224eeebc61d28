"""How a process of mtad tells that it is up, or why it cannot start: in words and an exit code, without a traceback."""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from collections.abc import Iterator

import lmdb

from mtad.main.assembly import StartError
from replicator.codec import DamagedError
from replicator.store.environment import StoreFormatError, StoreLockedError, StoreOwnerError

EXIT_CANNOT_START = 1
READY = b"1"
_EXPECTED = (
    StartError,
    StoreFormatError,
    StoreLockedError,
    StoreOwnerError,
    DamagedError,
    lmdb.Error,
    ssl.SSLError,
    OSError,
)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End the process with a message where something that it needs at its start is not as it must be."""
    try:
        yield
    except _EXPECTED as error:
        print(f"mtad: {error}", file=sys.stderr)
        sys.exit(EXIT_CANNOT_START)


def tell_ready(descriptor: int) -> None:
    """Tell the supervisor that this process is up; its end before that closes the pipe, which tells as much."""
    with contextlib.suppress(OSError):
        os.write(descriptor, READY)
    os.close(descriptor)
