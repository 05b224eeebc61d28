"""A copy of the store while it is in use: of any size, and nobody who reads waits for it."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lmdb
import pytest

from replicator.store.backup import back_up
from replicator.store.environment import StoreSettings
from replicator.store.store import Store
from tests.unit.replicator.store.commits import MEBI, TERMINAL_RANK, key, opened, put

WAIT_SECONDS = 10.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as made:
        made.change([put(1, b"small")])
        yield made


class SlowCopy:
    """An LMDB environment whose copy ends when it is told to."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def copy(self, *path: str, compact: bool) -> None:
        self.has_begun.set()
        assert self.may_end.wait(WAIT_SECONDS)
        self._env.copy(*path, compact=compact)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


@pytest.mark.parametrize("size", [0, MEBI, 5 * MEBI])
def test_a_store_of_any_size_is_copied_whole(store: Store, tmp_path: Path, size: int) -> None:
    store.change([put(2, b"x" * size)])
    octets = back_up(store, tmp_path / "backup")
    assert octets >= size
    copy = Store(StoreSettings(tmp_path / "backup", 0, TERMINAL_RANK))
    assert copy.image().store_id != store.image().store_id
    assert (copy.blob(key(1)), copy.blob(key(2))) == (b"small", b"x" * size)
    copy.close()


def test_nobody_else_may_read_the_files(store: Store, tmp_path: Path) -> None:
    back_up(store, tmp_path / "backup")
    compact = tmp_path / "compact"
    compact.mkdir()
    store.environment.copy_to(compact)
    for folder in ("store", "backup", "compact"):
        assert stat.S_IMODE((tmp_path / folder / "data.mdb").stat().st_mode) == 0o600


class FullDisk:
    """An LMDB environment that cannot be copied."""

    def copy(self, path: str, *, compact: bool) -> None:
        (Path(path) / "data.mdb").write_bytes(b"a part")
        raise lmdb.DiskError("mdb_env_copy3: No space left on device")


def test_a_copy_that_has_no_room_leaves_nothing_and_says_why(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backup"
    with monkeypatch.context() as patch:
        patch.setattr(store.environment, "_env", FullDisk())
        with pytest.raises(OSError, match=f"{folder}: No space left on device"):
            back_up(store, folder)
    assert list(folder.iterdir()) == []


def test_reads_go_on_while_the_map_waits_for_the_end_of_a_copy(store: Store, tmp_path: Path) -> None:
    environment = store.environment
    slow = SlowCopy(environment._env)
    environment._env = slow
    was = environment.map_octets
    copying = threading.Thread(target=back_up, args=(store, tmp_path / "backup"))
    copying.start()
    assert slow.has_begun.wait(WAIT_SECONDS)
    assert not environment.grow_for(14 * MEBI - environment.live_octets), "it can do without for as long"
    growing = threading.Thread(target=environment.grow)
    growing.start()
    growing.join(0.05)
    assert growing.is_alive()
    reading = threading.Thread(target=store.item, args=(key(1),), daemon=True)
    reading.start()
    reading.join(WAIT_SECONDS)
    is_read = not reading.is_alive()
    slow.may_end.set()
    for thread in (copying, growing):
        thread.join(WAIT_SECONDS)
    assert is_read, "who reads on the event loop would stop it for as long as the copy takes"
    assert environment.map_octets == 2 * was
    assert store.blob(key(1)) == b"small"
