"""What one step of an authentication exchange comes to (RFC 4422 §3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Challenge:
    """The exchange goes on: the client is to answer these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The client is who it says."""

    identity: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The credentials are not good. The client hears no more than that; `why` is for our log.

    name   as which the client wanted to be known
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """What the client sent is not of its mechanism's form."""

    why: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A fault of ours, or too much to do: whether the credentials are good is not known."""

    why: str


SaslAnswer = Challenge | Authenticated | Rejected | Malformed | Unavailable
