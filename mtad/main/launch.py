"""The way into the command `mtad`: until something else is said, SIGINT ends it as quietly as SIGTERM does.

Modules take a moment to load, and the interpreter's own answer to SIGINT is a traceback of whatever was being loaded.
Whoever has something to end in order says so to its loop, once it has begun. gRPC's own lines stay out of the log: what
they tell of a link that fails, `replica.link_refused` and the status tell.
"""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # read when it is loaded; child processes inherit it
    from mtad.main import command  # here: it takes most of the time

    command.main()
