"""The client's side of SCRAM-SHA-256, without channel binding (RFC 5802 §5, RFC 7677). Pure: octets in, octets out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import MutableMapping

ITERATIONS_MAX = 200_000  # of a server that asks for more we do not want to be held up
_HEADER = "n,,"  # of GS2: no channel binding, and nobody to act as
_FIRST = re.compile(r"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,8})(?:,.*)?", re.DOTALL)
_FINAL = re.compile(r"v=([A-Za-z0-9+/=]+)(?:,.*)?", re.DOTALL)

Salted = MutableMapping[tuple[bytes, int], bytes]
"""Salted passwords by salt and iterations."""


class Scram:
    """One exchange.

    nonce    ours, another one for each exchange
    salted   of this user, those that are known: to make one takes up to a tenth of a second
    """

    mechanism = "SCRAM-SHA-256"

    def __init__(self, user: str, password: str, nonce: str, salted: Salted) -> None:
        self._bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self._password = password
        self._nonce = nonce
        self._salted = salted
        self._signature = b""  # the server's, as it must be
        self._is_begun = False
        self.is_complete = False

    def answer(self, challenge: bytes) -> bytes | None:
        """Return what is said to a challenge; None when the server is not to be trusted, or not understood."""
        if not self._is_begun:
            self._is_begun = True
            return None if challenge else f"{_HEADER}{self._bare}".encode()
        if self.is_complete:
            return None
        try:
            text = challenge.decode()
        except UnicodeDecodeError:
            return None
        return self._verified(text) if self._signature else self._proved(text)

    def _proved(self, first: str) -> bytes | None:
        """Return client-final-message in answer to server-first-message."""
        found = _FIRST.fullmatch(first)
        if found is None or not found[1].startswith(self._nonce) or found[1] == self._nonce:
            return None
        salt, iterations = _octets(found[2]), int(found[3])
        if not salt or iterations > ITERATIONS_MAX:
            return None
        salted = self._salted_password(salt, iterations)
        final = f"c={base64.b64encode(_HEADER.encode()).decode()},r={found[1]}"
        message = f"{self._bare},{first},{final}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{final},p={base64.b64encode(proof).decode()}".encode()

    def _verified(self, final: str) -> bytes | None:
        """Return the empty answer to server-final-message, where it shows that the server knows the password."""
        found = _FINAL.fullmatch(final)
        if found is None or not hmac.compare_digest(_octets(found[1]), self._signature):
            return None
        self.is_complete = True
        return b""

    def _salted_password(self, salt: bytes, iterations: int) -> bytes:
        known = self._salted.get((salt, iterations))
        if known is None:
            known = hashlib.pbkdf2_hmac("sha256", self._password.encode(), salt, iterations)
            self._salted.clear()  # a server has one for a user
            self._salted[salt, iterations] = known
        return known


def _octets(text: str) -> bytes:
    """Return what stands there in base64; b'' where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
