"""Authenticates submitters against the users file, which it reads again when it has changed.

Hashing takes 19 MiB and 35 ms a password: it runs in threads, few at a time, and what waits for them has a limit too.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtad.mail.envelope import Client
from mtad.mail.sasl import Unavailable
from mtad.telemetry.events import Events
from mtad.users.decoys import Kinds, scram_decoy, scram_kind
from mtad.users.file import BadUsers, UsersFile, read
from mtad.users.mechanisms import MECHANISMS, Login, Plain, ScramSha256
from mtad.users.verifier import SALT_OCTETS, SCRAM_ITERATIONS, ScramVerifier, argon2_of, cost_of, fits_argon2

Cost = tuple[int, int, int]
_UNREADABLE = Unavailable("the users file cannot be used")
_BUSY = Unavailable("too many passwords wait to be compared")


@dataclass(frozen=True, slots=True)
class UsersLimits:
    """What comparing passwords may take of one process."""

    hashes_max: int = 4  # at a time: 19 MiB each
    waiting_max: int = 256  # for their turn; more hear that they may try again


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A users file as it was read, and what the passwords and proofs of users who are not there are compared with.

    hashes   one argon2 hash of each cost
    """

    file: UsersFile
    hashes: Mapping[Cost, str]
    costs: Kinds[Cost]
    scram_kinds: Kinds[tuple[int, int]]


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
        hashed = loaded.hashes[loaded.costs.of(name)] if user is None else user.argon2
        self._waiting_count += 1
        try:
            async with self._turn:
                fits = await asyncio.to_thread(fits_argon2, hashed, password)
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
        return scram_decoy(loaded.file.secret, loaded.scram_kinds.of(name), name), False

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
    """Make what users who are not there get; where nobody is there, it is what `mtactl user add` would make."""
    hashed = [user.argon2 for user in file.users.values()] or [argon2_of("")]
    scram_kinds = [scram_kind(user.scram) for user in file.users.values()] or [(SCRAM_ITERATIONS, SALT_OCTETS)]
    costs = [cost_of(one) for one in hashed]
    return _Loaded(
        file, dict(zip(costs, hashed, strict=True)), Kinds(file.secret, costs), Kinds(file.secret, scram_kinds)
    )
