"""A smaller file in the place of the store's: nothing is lost, whenever the process is killed."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from replicator.store.compaction import compact
from replicator.store.environment import SnapshotBrokenError
from replicator.store.store import Store
from replicator.store.writer import Writer, Written
from tests.unit.replicator.store.commits import BRANCH, MEBI, done, key, opened, part, put

ITEMS = 40
BLOB = b"x" * 100_000
KILLED = """
import os, signal, sys
from pathlib import Path
from replicator.store import environment
from replicator.store.compaction import compact
from replicator.store.store import Store
from replicator.store.writer import Writer

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

moment, path = sys.argv[1], Path(sys.argv[2])
store = Store(environment.StoreSettings(path, 0, 2, 16 << 20, 64 << 20))
def half(self, folder):
    (folder / "data.mdb").write_bytes(b"half of it")
    die()
if moment == "while it is copied":
    environment.Environment.copy_to = half
elif moment == "before the copy is durable":
    environment.sync = die
elif moment == "before the rename":
    environment.Environment.use_copy = die
elif moment == "after the rename":
    environment.Environment._open = die
compact(store.environment, Writer(store, print))
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as made:
        fill(made)
        yield made


def fill(store: Store) -> None:
    """Make a file that is mostly free: all but the last item are gone again."""
    store.change([put(number, BLOB) for number in range(1, ITEMS + 1)])
    store.change([done(ITEMS + number, number) for number in range(1, ITEMS)])


def quiet(store: Store) -> Writer:
    return Writer(store, lambda _written: None)


def check(store: Store) -> None:
    """All that was in the store is in it."""
    assert [item.key for item in store.items(b"", 100)] == [key(ITEMS)]
    assert store.blob(key(ITEMS)) == BLOB
    assert store.vector() == {BRANCH: 2 * ITEMS - 1}
    assert store.totals().octets == len(BLOB)
    assert [due.key for due in store.due(1_000, 10)] == [key(ITEMS)]
    assert len(store.read_log(BRANCH, 1, 1 << 30).records or ()) == 2 * ITEMS - 1
    assert not store.damage


def test_the_file_becomes_as_small_as_what_it_holds(store: Store) -> None:
    image = store.image()
    came = compact(store.environment, quiet(store))
    assert came.refused == ""
    assert came.octets_before > 4 * MEBI
    assert came.octets < MEBI
    assert store.environment.file_octets() == came.octets
    assert store.image() == image, "it is the same store, not another as a backup is"
    check(store)
    assert sorted(path.name for path in store.environment.path.iterdir()) == ["data.mdb", "lock.mdb", "owner.lock"]


def test_the_store_goes_on_in_the_new_file(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        fill(store)
        compact(store.environment, quiet(store))
        store.change([part(2 * ITEMS, ITEMS, 2)])
        store.change([done(2 * ITEMS + 1, ITEMS), put(2 * ITEMS + 2, BLOB * 30)])
        compact(store.environment, quiet(store))
    with opened(tmp_path) as again:
        assert [item.key for item in again.items(b"", 100)] == [key(2 * ITEMS + 2)]
        assert again.blob(key(2 * ITEMS + 2)) == BLOB * 30


def test_what_is_committed_meanwhile_waits_and_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Written] = []
    is_written = threading.Event()

    def deliver(what: Written) -> None:
        written.append(what)
        is_written.set()

    writer = Writer(store, deliver)
    writer.start()
    copied = store.environment.copy_to

    def copy_and_commit(folder: Path) -> None:
        copied(folder)
        writer.put(put(2 * ITEMS, BLOB))
        assert not is_written.wait(0.05), "after the copy was made it would be lost"

    monkeypatch.setattr(store.environment, "copy_to", copy_and_commit)
    assert compact(store.environment, writer).refused == ""
    assert is_written.wait(10)
    writer.stop()
    assert written == [Written(0, 2 * ITEMS, keys=frozenset({key(2 * ITEMS)}))]
    assert store.blob(key(2 * ITEMS)) == BLOB


def test_a_copy_waits_for_the_transaction_in_flight(store: Store) -> None:
    writer = quiet(store)
    writer._is_writing = True
    compacting = threading.Thread(target=compact, args=(store.environment, writer))
    compacting.start()
    compacting.join(0.05)
    assert compacting.is_alive()
    with writer._condition:
        writer._is_writing = False
        writer._condition.notify_all()
    compacting.join(10)
    assert not compacting.is_alive()


def test_a_long_read_is_broken_off(store: Store) -> None:
    snapshot = store.snapshot({})
    snapshot.read(1)
    compact(store.environment, quiet(store))
    with pytest.raises(SnapshotBrokenError):
        snapshot.read(1)
    snapshot.close()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), lmdb.CorruptedError("page leak")])
def test_a_copy_that_cannot_be_made_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(folder: Path) -> None:
        (folder / "data.mdb").write_bytes(b"half of it")
        raise error

    monkeypatch.setattr(store.environment, "copy_to", fail)
    came = compact(store.environment, quiet(store))
    assert came.refused == str(error)
    assert came.octets == came.octets_before
    assert not (store.environment.path / "compacting").exists()
    check(store)


def test_a_copy_that_cannot_be_put_in_place_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    assert "Permission denied" in compact(store.environment, quiet(store)).refused
    check(store)
    store.change([put(2 * ITEMS)])


def test_a_disk_without_room_for_the_copy_is_not_filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.environment, "live_octets", 1 << 60)
    assert "the disk has no room for a copy" in compact(store.environment, quiet(store)).refused
    check(store)


@pytest.mark.parametrize(
    ("moment", "is_small"),
    [
        ("while it is copied", False),
        ("before the copy is durable", False),
        ("before the rename", False),
        ("after the rename", True),
    ],
)
def test_a_kill_leaves_the_store_whole(tmp_path: Path, moment: str, is_small: bool) -> None:
    with opened(tmp_path) as store:
        fill(store)
    path = tmp_path / "store"
    ended = subprocess.run([sys.executable, "-c", KILLED, moment, str(path)], capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert ((path / "data.mdb").stat().st_size < MEBI) is is_small
    assert (path / "compacting").exists()
    with opened(tmp_path) as store:
        check(store)
        assert not (path / "compacting").exists()
