"""The users file: one user a line, with a name, an argon2 hash and a SCRAM verifier, between blanks.

    # comment
    @secret BASE64             what the salts of users that do not exist are made of
    alice@example.org $argon2id$v=19$... SCRAM-SHA-256$100000:...$...:...

It is read whole, or not at all. Others must not read it: `mtactl user` makes it so.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtad.private_file import is_open_to_others
from mtad.users.saslprep import saslprep
from mtad.users.verifier import ScramVerifier, argon2_of, fault_of_argon2

FILE_OCTETS_MAX = 64 << 20
NAME_OCTETS_MAX = 255
PASSWORD_OCTETS_MAX = 1_000
SECRET_OCTETS = 32

_NAME = re.compile(r"[^\s@#][^\s]*")
_HEAD = "# Who may submit mail, one user a line. `mtactl user` writes this file; keep it from others' eyes.\n"
_WITHOUT_SALTS = "has no line @secret; `mtactl user add` writes a file that has one"


@dataclass(frozen=True, slots=True)
class User:
    """A user, and what is kept of the password."""

    name: str  # as `fold` makes it
    argon2: str = field(repr=False)
    scram: ScramVerifier = field(repr=False)

    @classmethod
    def with_password(cls, name: str, password: str) -> User:
        """Make a user's line anew. Both texts are prepared; takes a tenth of a second."""
        return cls(name, argon2_of(password), ScramVerifier.of(password))


@dataclass(frozen=True, slots=True)
class UsersFile:
    """All users, by name, in the order of the file."""

    secret: bytes = field(repr=False)
    users: Mapping[str, User]

    def __str__(self) -> str:
        secret = base64.b64encode(self.secret).decode()
        lines = (f"{user.name} {user.argon2} {user.scram}\n" for user in self.users.values())
        return f"{_HEAD}@secret {secret}\n{''.join(lines)}"


@dataclass(frozen=True, slots=True)
class BadUsers:
    """Why a file is not used."""

    path: Path
    line: int  # 0: the file as a whole
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.why}" if self.line else f"{self.path}: {self.why}"


def fold(name: str) -> str | None:
    """Return the form in which names are compared, without case; None when it is no user's name."""
    prepared = saslprep(name)
    if prepared is None or len(prepared.encode()) > NAME_OCTETS_MAX or not _NAME.fullmatch(prepared):
        return None
    return prepared.lower()


def empty_file() -> UsersFile:
    """Return a file without users, and with a secret of its own."""
    return UsersFile(secrets.token_bytes(SECRET_OCTETS), {})


def read(path: Path) -> UsersFile | BadUsers:
    """Read a file. Errors: none are raised."""
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if is_open_to_others(mode):
                return BadUsers(path, 0, f"is open to others (mode {mode:04o})")
            octets = stream.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        return BadUsers(path, 0, f"cannot be read: {error.strerror}")
    if len(octets) > FILE_OCTETS_MAX:
        return BadUsers(path, 0, f"is larger than {FILE_OCTETS_MAX} octets")
    try:
        return parse(octets.decode(), path)
    except UnicodeDecodeError as error:
        return BadUsers(path, octets.count(b"\n", 0, error.start) + 1, "is not UTF-8")


def parse(text: str, path: Path) -> UsersFile | BadUsers:
    """Read a text as if it stood in the file `path`."""
    secret = b""
    users: dict[str, User] = {}
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] == "@secret":
            secret = _secret(words)
            if not secret:
                return BadUsers(path, number, f"@secret needs {SECRET_OCTETS} octets in base64")
            continue
        user = _user(words)
        if isinstance(user, str):
            return BadUsers(path, number, user)
        if user.name in users:
            return BadUsers(path, number, f"{user.name} is there already")
        users[user.name] = user
    return UsersFile(secret, users) if secret else BadUsers(path, 0, _WITHOUT_SALTS)


def _secret(words: list[str]) -> bytes:
    """Return the secret of its line, b'' when it is none."""
    try:
        secret = base64.b64decode(words[1], validate=True) if len(words) == 2 else b""
    except binascii.Error:
        return b""
    return secret if len(secret) >= SECRET_OCTETS else b""


def _user(words: list[str]) -> User | str:
    """Return the user of a line, or what is wrong with it."""
    if len(words) != 3:
        return "a user's line has a name, an argon2 hash and a SCRAM verifier"
    name = fold(words[0])
    if name is None:
        return "does not begin with a user's name"
    fault = fault_of_argon2(words[1])
    if fault:
        return f"the second word {fault}"
    scram = ScramVerifier.parse(words[2])
    return "the third word is no SCRAM-SHA-256 verifier" if scram is None else User(name, words[1], scram)
