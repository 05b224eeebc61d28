"""How a process of mtad tells that it is up, or why it cannot start: in words and an exit code, without a traceback.

The supervisor imports this: nothing that takes long to load belongs here.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
from collections.abc import Iterator

EXIT_CANNOT_START = 1
READY = b"1"


class StartError(Exception):
    """Something that was sound when the supervisor checked it is not any more; the text is for the operator."""


@contextlib.contextmanager
def explained(*more: type[Exception]) -> Iterator[None]:
    """End the process with a message where something that it needs at its start is not as it must be.

    more   what else may be expected of what the process opens
    """
    expected: tuple[type[Exception], ...] = (StartError, ssl.SSLError, OSError, *more)
    try:
        yield
    except expected as error:
        print(f"mtad: {error}", file=sys.stderr)
        sys.exit(EXIT_CANNOT_START)


def tell_ready(descriptor: int) -> None:
    """Tell the supervisor that this process is up; its end before that closes the pipe, which tells as much."""
    with contextlib.suppress(OSError):
        os.write(descriptor, READY)
    os.close(descriptor)
