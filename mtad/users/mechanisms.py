"""The mechanisms by which users show who they are: PLAIN (RFC 4616), LOGIN (never specified), SCRAM-SHA-256 (RFC 7677).

A user who is not there is treated in all of them as one whose password is wrong: the same work, the same answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

from mtad.mail.sasl import Authenticated, Challenge, Malformed, Rejected, SaslAnswer, Unavailable
from mtad.users.file import PASSWORD_OCTETS_MAX, fold
from mtad.users.saslprep import saslprep
from mtad.users.scram import BadMessage, Begun, ClientFirst
from mtad.users.verifier import ScramVerifier

NONCE_OCTETS = 18  # a multiple of three: no = at its end
NAME_SHOWN_MAX = 64  # of a name that nobody has: it may be a password in the wrong field


class Passwords(Protocol):
    """Where mechanisms look a user up (mtad.users.authenticator)."""

    async def fits(self, name: str, password: str) -> bool | Unavailable:
        """Tell whether a user is there and has this password. Both are prepared."""
        ...

    async def verifier(self, name: str) -> tuple[ScramVerifier, bool] | Unavailable:
        """Return a user's verifier, and whether the user is there: it is made up otherwise."""
        ...


class Plain:
    """PLAIN: name and password in one message."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def answer(self, response: bytes | None) -> SaslAnswer:
        """Take a response of the client."""
        if response is None:
            return Challenge(b"")
        parts = _texts(response)
        if parts is None or len(parts) != 3:
            return Malformed("not authorization, name and password between NULs")
        authorization, name, password = parts
        return await _by_password(self._passwords, name, password, authorization)


class Login:
    """LOGIN: name, then password."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self._name: str | None = None

    async def answer(self, response: bytes | None) -> SaslAnswer:
        """Take a response of the client."""
        if response is None:
            return Challenge(b"Username:")
        parts = _texts(response)
        if parts is None or len(parts) != 1:
            return Malformed("not a text")
        if self._name is None:
            self._name = parts[0]
            return Challenge(b"Password:")
        return await _by_password(self._passwords, self._name, parts[0])


class ScramSha256:
    """SCRAM-SHA-256: the password never leaves the client."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self._begun: Begun | None = None
        self._user = ""
        self._is_there = False
        self._is_proven = False

    async def answer(self, response: bytes | None) -> SaslAnswer:
        """Take a response of the client."""
        if response is None:
            return Challenge(b"")
        if self._begun is None:
            return await self._begin(response)
        if not self._is_proven:
            return self._prove(self._begun, response)
        # RFC 4954 §4: what we say last goes in a challenge, which the client answers with nothing
        return Malformed("not the empty response") if response else Authenticated(self._user)

    async def _begin(self, response: bytes) -> SaslAnswer:
        first = ClientFirst.parse(response)
        if isinstance(first, BadMessage):
            return Malformed(first.why)
        user = fold(first.name)
        found = await self._passwords.verifier(user or first.name)
        if isinstance(found, Unavailable):
            return found
        verifier, is_there = found
        self._user = first.name if user is None else user
        self._is_there = is_there and fold(first.authorization or first.name) == user
        self._begun = Begun(first, verifier, secrets.token_urlsafe(NONCE_OCTETS))
        return Challenge(self._begun.challenge.encode())

    def _prove(self, begun: Begun, response: bytes) -> SaslAnswer:
        ended = begun.end(response)
        if isinstance(ended, BadMessage):
            return Malformed(ended.why)
        if ended is None or not self._is_there:
            return _rejected(self._user)
        self._is_proven = True
        return Challenge(ended.encode())


MECHANISMS: Mapping[str, Callable[[Passwords], Plain | Login | ScramSha256]] = {
    "SCRAM-SHA-256": ScramSha256,
    "PLAIN": Plain,
    "LOGIN": Login,
}
"""The mechanisms that are offered, the best first.

SCRAM-SHA-256-PLUS is not: Python's ssl has no tls-exporter (RFC 9266), and with tls-server-end-point alone the clients
that take -PLUS where it is offered, and know tls-exporter only, could not authenticate at all.
"""


def _texts(response: bytes) -> list[str] | None:
    """Return the texts between NULs; None when they are none."""
    try:
        return response.decode().split("\0")
    except UnicodeDecodeError:
        return None


def _rejected(name: str) -> Rejected:
    return Rejected(name[:NAME_SHOWN_MAX], "no such user, or not the password")


async def _by_password(passwords: Passwords, name: str, password: str, authorization: str = "") -> SaslAnswer:
    """Compare a password; one that no user can have is compared too, so that the answer takes as long."""
    user = fold(name)
    prepared = saslprep(password) if len(password.encode()) <= PASSWORD_OCTETS_MAX else None
    fits = await passwords.fits(user or "", prepared or "")
    if isinstance(fits, Unavailable):
        return fits
    if not fits or user is None or prepared is None or fold(authorization or name) != user:
        return _rejected(name)
    return Authenticated(user)
