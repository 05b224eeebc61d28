"""How a command line ends whose output cannot be written: in a line on the standard error, with exit code 1."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def run_command(app: Callable[[], None], name: str) -> None:
    """Run a command line, which says itself what is wrong with what it reads."""
    if sys.stdout is None:  # it was closed before we began
        sys.exit(f"{name}: the standard output is closed")
    try:
        app()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # or the interpreter, at its end, tries once more
        sys.exit(f"{name}: cannot write: {error.strerror or error}")
