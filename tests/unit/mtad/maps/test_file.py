"""A file is read again when it has changed and is still; what is no good changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mtad.maps import file
from mtad.maps.answer import ABSENT, Found
from mtad.maps.file import FileMap, open_file
from mtad.maps.lines import Line, Wrong
from mtad.maps.table import read_table


def opened(path: Path, text: str = "a 1\n") -> FileMap:
    path.write_text(text)
    found = open_file(path, read_table)
    assert isinstance(found, FileMap)
    return found


def rewrite(path: Path, text: str, at_ns: int) -> None:
    path.write_text(text)
    os.utime(path, ns=(at_ns, at_ns))


def test_a_changed_file_is_read_when_it_is_still(tmp_path: Path) -> None:
    users = opened(tmp_path / "users")
    assert users.refresh() is False
    rewrite(tmp_path / "users", "a 2\n", 1)
    assert users.refresh() is False
    rewrite(tmp_path / "users", "a 2\nb 2\n", 2)
    assert users.refresh() is False  # it was changed again
    assert users.get("b") == ABSENT
    assert users.refresh() is True
    assert (users.get("a"), users.get("b")) == (Found("2"), Found("2"))
    assert users.refresh() is False


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "users"
    users = opened(path)
    rewrite(path, "a 2\n", 1)
    assert [users.refresh(), users.refresh()] == [False, True]
    changed_ns = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == changed_ns:  # it rises in steps of some milliseconds
        rewrite(path, "a 3\n", 1)
    assert [users.refresh(), users.refresh()] == [False, True]
    assert users.get("a") == Found("3")


def test_a_file_that_is_no_good_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "users"
    users = opened(path)
    rewrite(path, "a 2\na 3\n", 1)
    users.refresh()
    assert users.refresh() == Wrong((Line(2, '"a" stands here a second time'),))
    assert users.refresh() is False  # said once
    path.unlink()
    assert users.refresh() == Wrong((Line(1, "cannot be read: No such file or directory"),))
    assert users.get("a") == Found("1")
    rewrite(path, "a 4\n", 2)
    users.refresh()
    assert users.refresh() is True
    assert users.get("a") == Found("4")


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "users"
    path.write_text("a 1\n")

    def read_slowly(text: str) -> object:
        if "2" in text:
            rewrite(path, "a 3\n", 2)
        return read_table(text)

    users = open_file(path, read_slowly)  # type: ignore[arg-type]
    assert isinstance(users, FileMap)
    rewrite(path, "a 2\n", 1)
    users.refresh()
    assert users.refresh() is False
    assert users.get("a") == Found("1")
    users.refresh()
    assert users.refresh() is True
    assert users.get("a") == Found("3")


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "users"
    assert open_file(path, read_table) == Wrong((Line(1, "cannot be read: No such file or directory"),))
    assert open_file(tmp_path, read_table) == Wrong((Line(1, "cannot be read: Is a directory"),))
    path.write_bytes(b"a 1\nb \xff\n")
    assert open_file(path, read_table) == Wrong((Line(2, "is not UTF-8"),))
    monkeypatch.setattr(file, "FILE_OCTETS_MAX", 3)
    assert open_file(path, read_table) == Wrong((Line(1, "is larger than 3 octets"),))
