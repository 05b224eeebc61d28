"""The octets that version 1 wrote, by name, and its store."""

from __future__ import annotations

import gzip
from pathlib import Path

HERE = Path(__file__).parent
STORE_NODE = 0
STORE_TERMINAL_RANK = 2


def octets(name: str) -> dict[str, bytes]:
    """Return what a file of names and hexadecimal octets holds."""
    lines = (HERE / f"{name}.txt").read_text().splitlines()
    return {key: bytes.fromhex(value) for key, _, value in (line.partition(" ") for line in lines)}


def unpack_store(folder: Path) -> None:
    """Write the recorded store into a folder."""
    folder.mkdir()
    (folder / "data.mdb").write_bytes(gzip.decompress((HERE / "data.mdb.gz").read_bytes()))
