"""Where the spool process of a test listens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def socket() -> Iterator[Path]:
    """Return where a spool process may listen."""
    with TemporaryDirectory() as folder:  # short: the path of a Unix socket has 107 octets
        yield Path(folder) / "s"
