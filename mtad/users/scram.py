"""The server's side of SCRAM-SHA-256, without channel binding (RFC 5802 §5, RFC 7677). Pure: octets in, octets out."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from mtad.users.verifier import ScramVerifier

# The header of GS2 says: no channel binding (n), or none that we offer (y); p would ask for one. Then come whom to act
# as, the name and the nonce; m= before the name would be an extension that must be understood.
_FIRST = re.compile(r"([ny]),(?:a=([^,\x00]+))?,(n=([^,\x00]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^\x00]*)?)")
_FINAL = re.compile(r"(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^\x00]*)?),p=([A-Za-z0-9+/=]+)")
_ESCAPE = re.compile("=(2C|3D)?")
_ESCAPED = {"2C": ",", "3D": "="}
NONCE_LENGTH_MAX = 256  # of the client's part


@dataclass(frozen=True, slots=True)
class BadMessage:
    """Why a client's message is not understood; for our log."""

    why: str


@dataclass(frozen=True, slots=True)
class ClientFirst:
    """What the client says first."""

    header: str  # of GS2, which the client's second message repeats
    authorization: str  # as whom it wants to act; '' as itself
    name: str
    nonce: str
    bare: str

    @classmethod
    def parse(cls, octets: bytes) -> ClientFirst | BadMessage:
        """Read client-first-message."""
        text = _decoded(octets)
        if isinstance(text, BadMessage):
            return text
        if text.startswith("p="):
            return BadMessage("asks for channel binding, which is not offered")
        found = _FIRST.fullmatch(text)
        if found is None or len(found[5]) > NONCE_LENGTH_MAX:
            return BadMessage("is no client-first-message")
        name, authorization = _unescaped(found[4]), _unescaped(found[2] or "")
        if name is None or authorization is None:
            return BadMessage("has a name with a stray =")
        return cls(text.removesuffix(found[3]), authorization, name, found[5], found[3])


@dataclass(frozen=True, slots=True)
class Begun:
    """An exchange whose first messages have gone both ways."""

    first: ClientFirst
    verifier: ScramVerifier
    nonce: str  # ours

    @property
    def challenge(self) -> str:
        """server-first-message."""
        salt = base64.b64encode(self.verifier.salt).decode()
        return f"r={self.first.nonce}{self.nonce},s={salt},i={self.verifier.iterations}"

    def end(self, octets: bytes) -> str | BadMessage | None:
        """Read client-final-message; return server-final-message, or None when the proof does not hold."""
        text = _decoded(octets)
        if isinstance(text, BadMessage):
            return text
        found = _FINAL.fullmatch(text)
        if found is None:
            return BadMessage("is no client-final-message")
        try:
            header, proof = base64.b64decode(found[2], validate=True), base64.b64decode(found[4], validate=True)
        except binascii.Error:
            return BadMessage("is not in base64 where it should be")
        if header != self.first.header.encode() or found[3] != self.first.nonce + self.nonce:
            return BadMessage("does not belong to what was said before")
        message = f"{self.first.bare},{self.challenge},{found[1]}".encode()
        if not self.verifier.fits(proof, message):
            return None
        return f"v={base64.b64encode(self.verifier.signature(message)).decode()}"


def _decoded(octets: bytes) -> str | BadMessage:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return BadMessage("is not UTF-8")


def _unescaped(text: str) -> str | None:
    """Return a saslname without its escapes; None when an = is none of them."""
    if any(found[1] is None for found in _ESCAPE.finditer(text)):
        return None
    return _ESCAPE.sub(lambda found: _ESCAPED[found[1]], text)
