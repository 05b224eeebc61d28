"""A change of the users file is made whole or not at all, and one at a time."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from mtad.users import edit as edit_module
from mtad.users.edit import Unchanged, change
from mtad.users.file import UsersFile, read
from tests.fakes.users import user


def adding(name: str, password: str = "pencil"):  # type: ignore[no-untyped-def]
    def edit(file: UsersFile) -> UsersFile | Unchanged:
        return UsersFile(file.secret, {**file.users, name: user(name, password)})

    return edit


def names(path: Path) -> list[str]:
    found = read(path)
    assert isinstance(found, UsersFile)
    return list(found.users)


def test_begins_the_file_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "users"
    assert change(path, adding("alice")) is None
    first = read(path)
    assert change(path, adding("bob")) is None
    second = read(path)
    assert isinstance(first, UsersFile)
    assert isinstance(second, UsersFile)
    assert second.secret == first.secret
    assert list(second.users) == ["alice", "bob"]
    assert os.listdir(tmp_path) == ["users"], "nothing else is left"


def test_keeps_what_mode_it_had(tmp_path: Path) -> None:
    path = tmp_path / "users"
    tmp_path.chmod(0o700)
    change(path, adding("alice"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    change(path, adding("bob"))
    assert path.stat().st_mode & 0o777 == 0o640


def test_goes_where_a_link_leads(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    change(link, adding("alice"))
    assert link.is_symlink()
    assert names(real) == ["alice"]


def test_a_refused_change_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "users"
    change(path, adding("alice"))
    before = path.read_bytes()
    assert change(path, lambda file: Unchanged("no")) == Unchanged("no")
    assert path.read_bytes() == before
    path.write_text("nonsense")
    assert change(path, adding("bob")) == Unchanged(
        f"{path}:1: a user's line has a name, an argon2 hash and a SCRAM verifier"
    )
    assert path.read_text() == "nonsense"


def test_a_failed_change_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "users"
    change(path, adding("alice"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edit_module.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        change(path, adding("bob"))
    assert names(path) == ["alice"]
    assert os.listdir(tmp_path) == ["users"]


def test_changes_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "users"
    for name in "abcdefgh":
        user(name, "pencil")
    threads = [threading.Thread(target=change, args=(path, adding(name))) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(path)) == list("abcdefgh")
