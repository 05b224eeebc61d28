"""Authenticates submitters against the users file, which it reads again when it has changed.

Hashing takes 19 MiB and 35 ms a password: it runs in threads, few at a time, and what waits for them has a limit too.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtad.mail.envelope import Client
from mtad.mail.sasl import Unavailable
from mtad.telemetry.events import Events
from mtad.users.file import BadUsers, UsersFile, read
from mtad.users.mechanisms import MECHANISMS, Login, Plain, ScramSha256
from mtad.users.verifier import (
    KEY_OCTETS,
    SALT_OCTETS,
    SCRAM_ITERATIONS,
    ScramVerifier,
    argon2_of,
    cost_of,
    fits_argon2,
    hmac_sha256,
)

_UNREADABLE = Unavailable("the users file cannot be used")
_BUSY = Unavailable("too many passwords wait to be compared")


@dataclass(frozen=True, slots=True)
class UsersLimits:
    """What comparing passwords may take of one process."""

    hashes_max: int = 4  # at a time: 19 MiB each
    waiting_max: int = 256  # for their turn; more hear that they may try again


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A users file as it was read, and what the passwords and proofs of users who are not there are compared with."""

    file: UsersFile
    decoy: str
    iterations: int


class Users:
    """The users file, as sessions ask it."""

    def __init__(self, path: Path, events: Events, limits: UsersLimits | None = None) -> None:
        self._path = path
        self._events = events
        self._limits = limits or UsersLimits()
        self._turn = asyncio.Semaphore(self._limits.hashes_max)
        self._waiting_count = 0
        self._reading = asyncio.Lock()
        self._loaded: _Loaded | None = None
        self._stamp: tuple[int, ...] | None = None  # of the file that was read last, whether it was in order or not

    @property
    def mechanisms(self) -> Sequence[str]:
        """The names of the mechanisms, the best first."""
        return tuple(MECHANISMS)

    def begin(self, mechanism: str, client: Client) -> Plain | Login | ScramSha256:
        """Begin an exchange by one of the mechanisms."""
        return MECHANISMS[mechanism](self)

    # What the mechanisms ask.

    async def fits(self, name: str, password: str) -> bool | Unavailable:
        """Tell whether a user is there and has this password; who is not there takes as long."""
        loaded = await self._current()
        if loaded is None:
            return _UNREADABLE
        if self._waiting_count >= self._limits.waiting_max:
            return _BUSY
        user = loaded.file.users.get(name)
        self._waiting_count += 1
        try:
            async with self._turn:
                fits = await asyncio.to_thread(fits_argon2, loaded.decoy if user is None else user.argon2, password)
        finally:
            self._waiting_count -= 1
        return fits and user is not None

    async def verifier(self, name: str) -> tuple[ScramVerifier, bool] | Unavailable:
        """Return a user's verifier, and whether the user is there; a made-up one is the same each time."""
        loaded = await self._current()
        if loaded is None:
            return _UNREADABLE
        user = loaded.file.users.get(name)
        if user is not None:
            return user.scram, True
        salt = hmac_sha256(loaded.file.secret, name.encode())[:SALT_OCTETS]
        return ScramVerifier(loaded.iterations, salt, bytes(KEY_OCTETS), bytes(KEY_OCTETS)), False

    # The file.

    async def _current(self) -> _Loaded | None:
        """Return what the file says now, or said when it was last in order; None when it never was."""
        if _stamp(self._path) != self._stamp:
            async with self._reading:
                stamp = _stamp(self._path)  # before it is read: what changes meanwhile is read again
                if stamp != self._stamp:
                    await self._read()
                    self._stamp = stamp
        return self._loaded

    async def _read(self) -> None:
        found = await asyncio.to_thread(read, self._path)
        if isinstance(found, BadUsers):
            is_kept = self._loaded is not None
            self._events.emit("users.unusable", level="error", why=str(found), goes_on_with_the_last=is_kept)
            return
        async with self._turn:
            self._loaded = await asyncio.to_thread(_loaded, found)
        self._events.emit("users.read", file=str(self._path), users=len(found.users))


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes with the file; () when it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _loaded(file: UsersFile) -> _Loaded:
    """Make what users who are not there get: it costs what most others' does."""
    hashes = [user.argon2 for user in file.users.values()]
    costs = Counter(map(cost_of, hashes))
    decoy = max(hashes, key=lambda hashed: costs[cost_of(hashed)]) if hashes else argon2_of("")
    iterations = Counter(user.scram.iterations for user in file.users.values()).most_common(1)
    return _Loaded(file, decoy, iterations[0][0] if iterations else SCRAM_ITERATIONS)
