"""What the file of a map says that stands in a database or a directory: where it is, and what it is asked, in TOML.

Who else may read the file must not learn a password.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mtad.maps.lines import Wrong
from mtad.private_file import is_open_to_others

FILE_OCTETS_MAX = 100_000
IS_OPEN = Wrong.whole("has a password in it and is open to others: chmod 600")


class Description(NamedTuple):
    """A file as it was read, and whether it is open to others."""

    said: Mapping[str, Any]
    is_open: bool


def read_description(path: Path) -> Description | Wrong:
    """Read the file; what it says is not looked at."""
    try:
        with path.open("rb") as file:
            is_open = is_open_to_others(os.fstat(file.fileno()).st_mode)
            octets = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        return Wrong.whole(f"cannot be read: {error.strerror}")
    if len(octets) > FILE_OCTETS_MAX:
        return Wrong.whole(f"is larger than {FILE_OCTETS_MAX} octets")
    try:
        return Description(tomllib.loads(octets.decode("utf-8")), is_open)
    except ValueError as error:
        return Wrong.whole(f"is not TOML: {error}")


def parts_of(key: str) -> dict[str, str]:
    """Return what a question may name of a key: the whole, and what stands before and behind its last "@"."""
    local_part, at, domain = key.rpartition("@")
    return {"key": key, "local_part": local_part if at else key, "domain": domain if at else ""}
