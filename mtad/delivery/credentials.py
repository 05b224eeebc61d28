"""The credentials that routes name: private files, each for one login at next hops.

    user = "example.org"
    password = "..."
    mechanism = "PLAIN"          optional: the only one to use
    ca = "provider-ca.pem"       optional: whose certificates are good, in place of the authorities of the system

A file is read when a connection needs it, and again when it has changed: who changes a password need start nothing
anew. Of what is in it nothing is ever logged.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtad.delivery.login import MECHANISMS, Login
from mtad.private_file import is_open_to_others
from mtad.telemetry.events import Events

FILE_OCTETS_MAX = 65_536
TEXT_OCTETS_MAX = 1_000  # of user and password
_KEYS = ("user", "password", "mechanism", "ca")

_Version = tuple[int, int, int]
"""What differs when a file has changed."""


@dataclass(frozen=True, slots=True)
class BadCredentials:
    """Why a file cannot be used; says nothing of what is in it."""

    path: Path
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


class Credentials:
    """The files by the names that routes have for them."""

    def __init__(self, files: Mapping[str, Path], events: Events) -> None:
        self._files = files
        self._events = events
        self._read: dict[str, tuple[_Version, Login]] = {}  # as many as there are files

    async def login(self, name: str) -> Login | BadCredentials:
        """Return the login of a name as its file has it now."""
        path = self._files.get(name)
        if path is None:
            return BadCredentials(Path(name), "mtad.toml has no such name in delivery.credentials")
        version = _version(path)
        known = self._read.get(name)
        if known is not None and known[0] == version:
            return known[1]
        self._read.pop(name, None)
        found = await asyncio.to_thread(read, path)
        if isinstance(found, Login) and version is not None:
            self._read[name] = (version, found)
        return found

    def failed(self, name: str, next_hop: str, why: str) -> None:
        """Log that there was no login at a next hop."""
        self._events.emit("delivery.not_logged_in", "warning", credentials=name, next_hop=next_hop, why=why)


def read(path: Path) -> Login | BadCredentials:
    """Read a file. Errors: none are raised."""
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if is_open_to_others(mode):
                return BadCredentials(path, f"is open to others (mode {mode:04o})")
            octets = stream.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        return BadCredentials(path, f"cannot be read: {error.strerror}")
    if len(octets) > FILE_OCTETS_MAX:
        return BadCredentials(path, f"is larger than {FILE_OCTETS_MAX} octets")
    try:
        said = tomllib.loads(octets.decode())
    except ValueError:  # whose text may hold the password; TOMLDecodeError and UnicodeDecodeError are such
        return BadCredentials(path, "is no TOML")
    fault = _fault_of(said)
    return BadCredentials(path, fault) if fault else _login(path, said)


def _fault_of(said: Mapping[str, object]) -> str:
    """Return what is wrong with the keys of a file; '' when nothing is."""
    for key, value in said.items():
        if key not in _KEYS:
            return f"has keys other than {', '.join(_KEYS)}"
        if not isinstance(value, str) or not value or "\0" in value or len(value.encode()) > TEXT_OCTETS_MAX:
            return f"{key} must be a text of 1 to {TEXT_OCTETS_MAX} octets"
    if not {"user", "password"} <= said.keys():
        return "needs a user and a password"
    if said.get("mechanism", "PLAIN") not in MECHANISMS:
        return f"mechanism must be one of {', '.join(MECHANISMS)}"
    return ""


def _login(path: Path, said: Mapping[str, str]) -> Login | BadCredentials:
    ca = path.parent / said["ca"] if "ca" in said else None
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        return BadCredentials(path, f"ca {ca} holds no certificates")
    except OSError as error:
        return BadCredentials(path, f"ca {ca} cannot be read: {error.strerror}")
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return Login(said["user"], said["password"], context, ca is not None, said.get("mechanism", ""))


def _version(path: Path) -> _Version | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
