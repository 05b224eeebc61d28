"""A smaller file in the place of the store's: the pages in use are copied, and the copy is put there by a rename.

LMDB uses again what became free, and never gives it back to the disk. Nothing is committed from the beginning of the
copy until it is in use, and it is durable before the rename: whenever the power fails, one of two files is there that
hold the same.
"""

from __future__ import annotations

from typing import NamedTuple

import lmdb

from replicator.store.environment import RESERVE_OCTETS_MIN, Environment
from replicator.store.writer import Writer


class Compacted(NamedTuple):
    """What came of it. refused: why the file is what it was; "" when it is a new one."""

    octets_before: int
    octets: int
    refused: str = ""


def compact(environment: Environment, writer: Writer) -> Compacted:
    """Let the store go on in a file of its own size. Commits wait meanwhile; reads only while the files change places.

    Errors: lmdb.Error when the file could not be opened after that; the store must then be opened anew.
    """
    with writer.paused():
        before = environment.file_octets()
        try:
            refused = _copy(environment)
            if not refused:
                environment.use_copy()
        except OSError as error:
            refused = str(error)
        finally:
            environment.drop_copy()
        return Compacted(before, environment.file_octets(), refused)


def _copy(environment: Environment) -> str:
    """Make a durable copy beside the store; return why there is none, "" when there is."""
    if environment.free_disk_octets() < environment.live_octets + RESERVE_OCTETS_MIN:
        return f"the disk has no room for a copy of {environment.live_octets} octets"
    try:
        environment.make_copy()
    except lmdb.Error as error:
        return str(error)
    return ""
