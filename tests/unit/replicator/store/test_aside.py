"""A store set aside: all that was held is in the folder, or still in its place, whenever the process is killed."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from replicator.store.aside import no_room, set_aside
from replicator.store.environment import StoreSettings
from replicator.store.store import Store
from replicator.store.writer import Writer
from tests.unit.replicator.store.commits import TERMINAL_RANK, opened, put

ITEMS = 20
KILLED = """
import os, signal, sys
from pathlib import Path
from replicator.store import environment
from replicator.store.aside import set_aside
from replicator.store.store import Store
from replicator.store.writer import Writer

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

moment, path = sys.argv[1], Path(sys.argv[2])
store = Store(environment.StoreSettings(path, 0, 2, 16 << 20, 64 << 20))
if moment == "before the rename":
    environment.Environment.move_to = die
elif moment == "after the rename":
    environment.sync = die
elif moment == "before the empty one is opened":
    environment.Environment._open = die
elif moment == "before it has a name":
    Store._found_if_new = die
set_aside(store, Writer(store, print), 1)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as made:
        for number in range(1, ITEMS + 1):
            made.change([put(number)])
        yield made


def count(store: Store) -> int:
    return len(store.items(b"", 1_000))


def test_it_goes_on_empty_under_its_name(store: Store) -> None:
    was = store.image()
    folder = set_aside(store, Writer(store, print), 1)
    now = store.image()
    assert (count(store), now.vector, now.stores) == (0, {}, {})
    assert now.store_id == was.store_id
    store.change([put(1)])
    again = set_aside(store, Writer(store, print), 2)
    assert again != folder
    for kept, held in ((folder, ITEMS), (again, 1)):
        old = Store(StoreSettings(kept, 0, TERMINAL_RANK))
        assert count(old) == held
        old.close()


def test_what_cannot_be_moved_stays_in_use(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    was = store.image()

    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, "not allowed")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="not allowed"):
        set_aside(store, Writer(store, print), 1)
    assert (count(store), store.image()) == (ITEMS, was)
    assert not list(store.environment.path.glob("aside-*"))


def test_a_disk_without_room_for_two_is_named(store: Store) -> None:
    assert no_room(store) == ""
    store.environment.live_octets = 1 << 60
    assert no_room(store) == f"the disk has no room for a second store of {1 << 60} octets"


@pytest.mark.parametrize(
    ("moment", "held"),
    [
        ("before the rename", ITEMS),
        ("after the rename", 0),
        ("before the empty one is opened", 0),
        ("before it has a name", 0),
    ],
)
def test_a_process_that_is_killed_leaves_the_old_store_or_an_empty_one(tmp_path: Path, moment: str, held: int) -> None:
    with opened(tmp_path) as store:
        for number in range(1, ITEMS + 1):
            store.change([put(number)])
        was = store.image().store_id
    done = subprocess.run([sys.executable, "-c", KILLED, moment, str(tmp_path / "store")], check=False)
    assert done.returncode == -signal.SIGKILL
    with opened(tmp_path) as store:
        assert count(store) == held
        assert (store.image().store_id == was) == bool(held)
        assert store.image().store_id
