"""Users with cheap hashes, and a client that speaks SCRAM-SHA-256 (RFC 5802) on its own."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from pathlib import Path

from argon2 import PasswordHasher

from mtad.mail.envelope import Client
from mtad.mail.sasl import Unavailable
from mtad.users.file import User, UsersFile
from mtad.users.mechanisms import MECHANISMS, Login, Plain, ScramSha256
from mtad.users.verifier import ScramVerifier

_CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
SECRET = bytes(range(32))


@functools.cache
def user(name: str, password: str) -> User:
    return User(name, _CHEAP.hash(password), ScramVerifier.of(password, iterations=4096))


def write_users(path: Path, **passwords: str) -> None:
    """Write a users file that only its owner may read; `NAME` means `NAME@here.example`."""
    users = [user(f"{name}@here.example", password) for name, password in passwords.items()]
    path.write_text(str(UsersFile(SECRET, {each.name: each for each in users})))
    path.chmod(0o600)


class FakeUsers:
    """Users with their passwords in clear text, the real mechanisms before them.

    fault   is raised instead of an answer; an `Unavailable` is the answer
    """

    def __init__(self, fault: Exception | Unavailable | None = None, **passwords: str) -> None:
        self.fault = fault
        self._users = {f"{name}@here.example": password for name, password in passwords.items()}
        self.mechanisms = tuple(MECHANISMS)

    def begin(self, mechanism: str, client: Client) -> Plain | Login | ScramSha256:
        return MECHANISMS[mechanism](self)

    def _check(self) -> Unavailable | None:
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.fault

    async def fits(self, name: str, password: str) -> bool | Unavailable:
        return self._check() or self._users.get(name) == password

    async def verifier(self, name: str) -> tuple[ScramVerifier, bool] | Unavailable:
        return self._check() or (user(name, self._users.get(name, "")).scram, name in self._users)


class ScramClient:
    """The client's side, its nonce given."""

    def __init__(self, name: str, password: str, nonce: str = "rOprNGfwEbeRWgbNEkqO", header: str = "n,,") -> None:
        self.bare = f"n={name},r={nonce}"
        self.header = header
        self._password = password.encode()
        self._signature = b""

    def first(self) -> bytes:
        return f"{self.header}{self.bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        parts = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salt = base64.b64decode(parts["s"])
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, int(parts["i"]))
        without_proof = f"c={base64.b64encode(self.header.encode()).decode()},r={parts['r']}"
        message = f"{self.bare},{challenge.decode()},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def trusts(self, ended: bytes) -> bool:
        """Tell whether the server has shown that it knows the verifier."""
        return ended == b"v=" + base64.b64encode(self._signature)
