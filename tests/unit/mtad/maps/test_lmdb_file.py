from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import lmdb
import pytest

from mtad.maps import lmdb_file
from mtad.maps.answer import ABSENT, Answer, Found, Unavailable
from mtad.maps.lines import Wrong
from mtad.maps.lmdb_file import LmdbFile, open_lmdb


def write(path: Path, values: Mapping[bytes, bytes], map_size: int = 1 << 20) -> None:
    environment = lmdb.open(str(path), subdir=False, lock=False, map_size=map_size)
    with environment.begin(write=True) as transaction:
        for key, value in values.items():
            transaction.put(key, value)
    environment.close()


def write_in_another_process(path: Path, value: str) -> None:
    """Set the key "a", as `postmap` would: here the file is open."""
    program = (
        "import lmdb, sys\n"
        "environment = lmdb.open(sys.argv[1], subdir=False, lock=False, map_size=1 << 20)\n"
        "with environment.begin(write=True) as transaction: transaction.put(b'a', sys.argv[2].encode())\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path), value], check=True)


@contextmanager
def opened(path: Path) -> Iterator[LmdbFile]:
    found = open_lmdb(path)
    assert isinstance(found, LmdbFile)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("Ann@L.example", Found("one two")),
        ("bob", Found("3")),
        ("none", ABSENT),
        ("", ABSENT),
        ("x" * 511, ABSENT),
        ("\u00e9", Found("\udcff")),
    ],
)
def test_keys_and_values_with_a_zero_octet_at_their_end_or_not(tmp_path: Path, key: str, answer: Answer) -> None:
    values = {b"ann@l.example\0": b"one two\0", b"bob": b"3", "\u00e9".encode(): b"\xff"}
    write(tmp_path / "users.lmdb", values)
    for name in ("users", "users.lmdb"):
        with opened(tmp_path / name) as users:
            assert users.get(key) == answer


def test_another_file_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "users.lmdb"
    write(path, {b"a": b"1"})
    with opened(path) as users:
        assert users.refresh() is False
        write(tmp_path / "new.lmdb", {b"a": b"2"})
        (tmp_path / "new.lmdb").rename(path)
        assert users.refresh() is False, "it may be half written"
        assert users.get("a") == Found("1")
        assert users.refresh() is True
        assert users.get("a") == Found("2")
        path.unlink()
        assert isinstance(users.refresh(), Wrong)
        assert users.get("a") == Found("2")
        path.write_bytes(b"no database at all" * 1000)
        assert users.refresh() is False
        assert isinstance(users.refresh(), Wrong)
        assert isinstance(users.get("a"), Unavailable)
        path.unlink()
        write(path, {b"a": b"3"})
        assert users.refresh() is False
        assert users.refresh() is True
        assert users.get("a") == Found("3")


MANY = {b"%05d" % number: b"v" * 50 for number in range(2000)}


@pytest.mark.parametrize("octets", [0, 4096, 2 * 4096, 20 * 4096])
def test_a_file_that_is_cut_off_takes_the_process_with_it_in_no_state(tmp_path: Path, octets: int) -> None:
    path = tmp_path / "users.lmdb"
    write(path, MANY)
    with opened(path) as users:
        assert isinstance(users.get("00001"), Found)
        os.truncate(path, octets)
        assert users.get("00001") == Unavailable("the file was cut off")
        assert users.refresh() is False
        users.refresh()  # still cut off, and nobody writes any more
        answers = [users.get(f"{number:05}") for number in range(0, 2000, 50)]
        assert not [one for one in answers if not isinstance(one, Found | Unavailable)], "unknown is not no"
        assert any(isinstance(one, Unavailable) for one in answers)
        path.unlink()
        write(path, {b"a": b"new"})
        users.refresh()
        assert users.refresh() is True
        assert users.get("a") == Found("new")


def test_a_file_that_is_copied_over_another_one(tmp_path: Path) -> None:
    path = tmp_path / "users.lmdb"
    write(path, MANY)
    write(tmp_path / "new.lmdb", {b"a": b"1"})
    with opened(path) as users:
        path.write_bytes((tmp_path / "new.lmdb").read_bytes())
        assert isinstance(users.get("a"), Unavailable)
        path.write_bytes(path.read_bytes() + bytes(1 << 20))
        assert isinstance(users.get("a"), Unavailable), "large enough, and another one"
        assert users.refresh() is False
        assert users.refresh() is True
        assert users.get("a") == Found("1")


def test_pages_that_a_writer_gave_back_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "users.lmdb"
    write(path, {b"a": b"0", b"large": b"v" * 100_000})
    environment = lmdb.open(str(path), subdir=False, lock=False, map_size=1 << 20)
    with environment.begin(write=True) as transaction:
        transaction.delete(b"large")
    environment.close()
    for value in (b"1", b"2", b"3"):  # in pages that are free now
        write(path, {b"a": value})
    os.truncate(path, 20 * 4096)
    with opened(path) as users:
        assert users.get("a") == Found("3")
        write(path, {b"a": b"4"})
        users.refresh()
        assert users.refresh() is True
        assert users.get("a") == Found("4")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_to_another_open_file_in_its_place(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    write(tmp_path / "users.lmdb", {b"a": b"1"})
    write(tmp_path / "all.lmdb", {b"a": b"2"})
    with opened(tmp_path / "users") as users, opened(tmp_path / "all") as everybody:
        link(tmp_path / "all.lmdb", tmp_path / "new.lmdb")
        (tmp_path / "new.lmdb").rename(tmp_path / "users.lmdb")
        assert users.refresh() is False
        assert users.refresh() is True
        assert (users.get("a"), everybody.get("a")) == (Found("2"), Found("2"))
        assert users.refresh() is False
        write_in_another_process(tmp_path / "all.lmdb", "3")
        assert users.refresh() is False
        assert users.refresh() is True
        assert (users.get("a"), everybody.get("a")) == (Found("3"), Found("3"))


def test_a_link_to_another_open_file_that_is_too_large_for_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_file, "COPY_OCTETS_MAX", 4096)
    write(tmp_path / "all.lmdb", {b"a": b"2"})
    os.symlink("all.lmdb", tmp_path / "users.lmdb")
    with opened(tmp_path / "all"):
        found = open_lmdb(tmp_path / "users")
        assert isinstance(found, Wrong)
        assert found.lines[0].text == "cannot be opened: it is open by another name, and is too large for a copy"


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    assert isinstance(open_lmdb(tmp_path / "none"), Wrong)
    (tmp_path / "bad.lmdb").write_bytes(b"no database at all" * 1000)
    assert isinstance(open_lmdb(tmp_path / "bad"), Wrong)
