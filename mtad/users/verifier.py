"""What is kept of a password: an argon2id hash and a SCRAM-SHA-256 verifier (RFC 9106, RFC 5802, RFC 7677).

Passwords come here prepared (mtad.users.saslprep). None can be read back from what is made of them here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from argon2.low_level import Type

ARGON2_MEMORY_KIB = 19_456  # with two passes: what OWASP recommends, and 35 ms
ARGON2_PASSES = 2
ARGON2_MEMORY_KIB_MAX = 1 << 18  # what a hash that another program made may ask of us
ARGON2_PASSES_MAX = 16
SCRAM_ITERATIONS = 100_000  # the client's work at each login; RFC 7677 §4 asks for 4096 at least
SCRAM_ITERATIONS_MIN = 4_096
SCRAM_ITERATIONS_MAX = 10_000_000
SALT_OCTETS = 16
KEY_OCTETS = hashlib.sha256().digest_size

_HASHER = PasswordHasher(time_cost=ARGON2_PASSES, memory_cost=ARGON2_MEMORY_KIB, parallelism=1)
_BASE64 = r"[A-Za-z0-9+/]+={0,2}"
_SCRAM = re.compile(rf"SCRAM-SHA-256\$([0-9]{{1,8}}):({_BASE64})\$({_BASE64}):({_BASE64})")


def argon2_of(password: str) -> str:
    """Hash a password with a new salt. Takes 35 ms and the memory above."""
    return _HASHER.hash(password)


def fits_argon2(hashed: str, password: str) -> bool:
    """Tell whether a password is the one that was hashed; takes as long as making the hash, whichever it is.

    Errors: argon2's VerificationError when that cannot be told, such as for want of memory.
    """
    try:
        return _HASHER.verify(hashed, password)
    except VerifyMismatchError:
        return False


def cost_of(hashed: str) -> tuple[int, int, int]:
    """Return what decides how long a comparison with a hash takes: memory, passes, lanes."""
    parameters = extract_parameters(hashed)
    return parameters.memory_cost, parameters.time_cost, parameters.parallelism


def fault_of_argon2(text: str) -> str:
    """Return why a word cannot serve as a hash; '' when it can."""
    try:
        parameters = extract_parameters(text)
    except InvalidHashError:
        return "is no argon2 hash"
    if parameters.type is not Type.ID:
        return "is not of the variant argon2id"
    if parameters.memory_cost > ARGON2_MEMORY_KIB_MAX or parameters.time_cost > ARGON2_PASSES_MAX:
        return f"asks for more than {ARGON2_MEMORY_KIB_MAX} KiB or {ARGON2_PASSES_MAX} passes"
    return ""


def hmac_sha256(key: bytes, octets: bytes) -> bytes:
    """Return HMAC(key, octets) of RFC 5802 §2.2."""
    return hmac.digest(key, octets, "sha256")


@dataclass(frozen=True, slots=True)
class ScramVerifier:
    """What a server keeps of a password for SCRAM (RFC 5802 §3), written as PostgreSQL does."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(cls, password: str, salt: bytes | None = None, iterations: int = SCRAM_ITERATIONS) -> ScramVerifier:
        """Make the verifier of a password, with a new salt unless one is given."""
        salt = secrets.token_bytes(SALT_OCTETS) if salt is None else salt
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
        stored_key = hashlib.sha256(hmac_sha256(salted, b"Client Key")).digest()
        return cls(iterations, salt, stored_key, hmac_sha256(salted, b"Server Key"))

    @classmethod
    def parse(cls, text: str) -> ScramVerifier | None:
        """Read what `str` has written; None when it is no verifier that can be used."""
        found = _SCRAM.fullmatch(text)
        if found is None or not SCRAM_ITERATIONS_MIN <= int(found[1]) <= SCRAM_ITERATIONS_MAX:
            return None
        try:
            salt, stored_key, server_key = (base64.b64decode(part, validate=True) for part in found.groups()[1:])
        except binascii.Error:
            return None
        if len(stored_key) != KEY_OCTETS or len(server_key) != KEY_OCTETS:
            return None
        return cls(int(found[1]), salt, stored_key, server_key)

    def __str__(self) -> str:
        salt, stored_key, server_key = (
            base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key)
        )
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored_key}:{server_key}"

    def fits(self, proof: bytes, message: bytes) -> bool:
        """Tell whether a client that knows the password made this proof of AuthMessage (RFC 5802 §3)."""
        if len(proof) != KEY_OCTETS:
            return False
        signature = hmac_sha256(self.stored_key, message)
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        return hmac.compare_digest(hashlib.sha256(client_key).digest(), self.stored_key)

    def signature(self, message: bytes) -> bytes:
        """Return ServerSignature, which shows the client that we know its verifier."""
        return hmac_sha256(self.server_key, message)
