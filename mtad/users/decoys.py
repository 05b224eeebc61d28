"""What a user who is not there is taken to have, so that nobody learns who is there. Pure.

Verifiers that other programs made may ask for other work than ours: other argon2 costs, iterations, lengths of a salt.
If all who are not there had the same, whoever differs would be known to be there. So each name draws one of the kinds
that users have, and as many names draw a kind as users have it.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from typing import Generic, TypeVar

from mtad.users.verifier import KEY_OCTETS, ScramVerifier, hmac_sha256

Kind = TypeVar("Kind")


class Kinds(Generic[Kind]):
    """The kinds that users have, at least one, and how many have each."""

    __slots__ = ("_counts", "_secret")

    def __init__(self, secret: bytes, kinds: Iterable[Kind]) -> None:
        self._secret = secret
        self._counts = Counter(kinds)

    def of(self, name: str) -> Kind:
        """Draw the kind of a name: the same each time, and seldom another when the users have changed."""
        return min(self._counts, key=lambda kind: self._draw(kind, name))

    def _draw(self, kind: Kind, name: str) -> float:
        """Return what is the smallest for a kind as often as its share is (weighted rendezvous hashing)."""
        drawn = int.from_bytes(hmac_sha256(self._secret, f"{kind} {name}".encode())[:8])
        return -math.log((drawn + 1) / (1 << 64)) / self._counts[kind]


def scram_kind(verifier: ScramVerifier) -> tuple[int, int]:
    """Return what a client sees of a verifier that is no secret: iterations, and the octets of the salt."""
    return verifier.iterations, len(verifier.salt)


def scram_decoy(secret: bytes, kind: tuple[int, int], name: str) -> ScramVerifier:
    """Return a verifier of this kind that no password fits; its salt is the same each time."""
    iterations, salt_octets = kind
    salt = hashlib.shake_256(secret + name.encode()).digest(salt_octets)
    return ScramVerifier(iterations, salt, bytes(KEY_OCTETS), bytes(KEY_OCTETS))
