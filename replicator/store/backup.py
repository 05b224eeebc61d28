"""A copy of the store while it is in use: a store of its own, as of one moment.

A member that starts on a restored copy is a new incarnation, as every start is, with the vector of that moment: the
peer sends what it lacks, and its emptiness means nothing. The copy has another store id, so that the peer says that
the store is not the one it knew.
"""

from __future__ import annotations

import os
from pathlib import Path

import lmdb

from replicator.store import layout
from replicator.store.environment import sync
from replicator.store.store import Store

_STORE_ID_OCTETS = 16
_MARK_OCTETS = 1 << 20  # beyond the copy, for the pages in which its identity is written


def back_up(store: Store, folder: Path) -> int:
    """Copy the store into a folder that is empty or not there, durably; return the octets of the copy.

    Errors: OSError (FileExistsError when something is in the folder); nothing is left behind then.
    """
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"{folder.parent} is no folder")
    folder.mkdir(mode=0o700, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty")
    data = folder / "data.mdb"
    try:
        store.environment.copy_to(folder)
        _mark(folder)
        sync(data)
        sync(folder)
    except (OSError, lmdb.Error) as error:
        for name in ("data.mdb", "lock.mdb"):
            (folder / name).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise
        raise OSError(f"{folder}: {str(error).rpartition(': ')[2]}") from error  # LMDB says which of its calls failed
    return data.stat().st_size


def _mark(folder: Path) -> None:
    """Give the copy an identity of its own, and keep whose copy it is."""
    octets = (folder / "data.mdb").stat().st_size
    env = lmdb.open(str(folder), max_dbs=layout.TABLES_MAX, map_size=octets + _MARK_OCTETS)
    table = env.open_db(b"meta")
    with env.begin(write=True) as transaction:
        was = layout.unseal(b"store_id", transaction.get(b"store_id", b"", db=table))
        for name, value in ((b"backup_of", was), (b"store_id", os.urandom(_STORE_ID_OCTETS))):
            transaction.put(name, layout.seal(name, value), db=table)
    env.close()
    (folder / "lock.mdb").unlink(missing_ok=True)
