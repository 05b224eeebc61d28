"""Changes the users file: one change at a time, whole or not at all, kept as private as it was."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtad.users.file import BadUsers, User, UsersFile, empty_file, read


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Why a change was not made; for the operator."""

    why: str


def add_user(path: Path, name: str, password: str) -> Unchanged | None:
    """Add a user. Name and password are prepared. Errors: OSError."""
    user = User.with_password(name, password)

    def edit(file: UsersFile) -> UsersFile | Unchanged:
        if name in file.users:
            return Unchanged(f"{name} is there already; `mtactl user passwd` changes the password")
        return UsersFile(file.secret, {**file.users, name: user})

    return change(path, edit)


def change_password(path: Path, name: str, password: str) -> Unchanged | None:
    """Give a user another password, which is prepared. Errors: OSError."""
    user = User.with_password(name, password)

    def edit(file: UsersFile) -> UsersFile | Unchanged:
        return UsersFile(file.secret, {**file.users, name: user}) if name in file.users else _unknown(name)

    return change(path, edit)


def delete_user(path: Path, name: str) -> Unchanged | None:
    """Delete a user. Errors: OSError."""

    def edit(file: UsersFile) -> UsersFile | Unchanged:
        rest = {each: user for each, user in file.users.items() if each != name}
        return UsersFile(file.secret, rest) if name in file.users else _unknown(name)

    return change(path, edit)


def _unknown(name: str) -> Unchanged:
    return Unchanged(f"{name} is no user")


def change(path: Path, edit: Callable[[UsersFile], UsersFile | Unchanged]) -> Unchanged | None:
    """Replace the file by what `edit` makes of it; None when that is done.

    A file that is not there is begun. A running node takes the new one at the next authentication.
    Errors: OSError.
    """
    path = path.resolve()  # what a symbolic link means, not the link
    with _locked(path.parent):
        found = read(path) if path.exists() else empty_file()
        if isinstance(found, BadUsers):
            return Unchanged(str(found))
        edited = edit(found)
        if isinstance(edited, Unchanged):
            return edited
        _replace(path, str(edited).encode())
    return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other changes out: the lock is on the folder, since each change puts a new file there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, octets: bytes) -> None:
    """Write the file beside the old one and put it in its place, durably."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            _make_alike(path, stream.fileno())
            stream.write(octets)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _make_alike(path: Path, descriptor: int) -> None:
    """Give the new file the old one's owner and mode.

    The first one, when root writes it, gets its folder's: the daemon reads it as the owner, or as the group that may
    read the folder.
    """
    if path.exists():
        like = path.stat()
        mode = stat.S_IMODE(like.st_mode)
    elif os.geteuid() == 0:
        like = path.parent.stat()
        mode = 0o640 if like.st_mode & stat.S_IRGRP else 0o600
    else:
        return
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
        os.fchown(descriptor, like.st_uid, like.st_gid)
    os.fchmod(descriptor, mode)
