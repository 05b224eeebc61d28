"""The store set aside, and an empty one in its place: what an operator orders who does not trust what is in it.

The file moves into a folder beside it by one rename. Whenever the process is killed or the power fails, the next start
finds the store as it was, or none, and then it begins an empty one: as after the loss of the disk, the peer fills it.
"""

from __future__ import annotations

import time
from pathlib import Path

import lmdb

from replicator.store.environment import RESERVE_OCTETS_MIN
from replicator.store.store import Store
from replicator.store.writer import Writer


def no_room(store: Store) -> str:
    """Return why a second store has no place beside this one; "" when it has."""
    octets = store.environment.live_octets
    if store.environment.free_disk_octets() >= octets + RESERVE_OCTETS_MIN:
        return ""
    return f"the disk has no room for a second store of {octets} octets"


def set_aside(store: Store, writer: Writer, generation: int) -> Path:
    """Let the store go on empty; return the folder that has what it held.

    generation   that the writer goes on with: what is queued of the one before goes nowhere
    Errors: OSError, and the store is what it was; lmdb.Error when the empty one cannot be opened.
    """
    writer.begin(generation)
    with writer.paused():
        folder = _new_folder(store.environment.path)
        try:
            store.begin_empty(folder)
        except (OSError, lmdb.Error):
            if not any(folder.iterdir()):
                folder.rmdir()
            raise
    return folder


def _new_folder(path: Path) -> Path:
    """Make a folder that is named with the date."""
    named = path / time.strftime("aside-%Y%m%dT%H%M%SZ", time.gmtime())
    folder, number = named, 1
    while folder.exists():
        number += 1
        folder = named.with_name(f"{named.name}-{number}")
    folder.mkdir(mode=0o700)
    return folder
