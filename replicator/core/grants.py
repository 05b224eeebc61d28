"""What members and the witness say to each other (proto/replicator/v1/witness.proto)."""

from __future__ import annotations

from typing import NamedTuple


class Ask(NamedTuple):
    """A member wants to own, or to go on owning.

    generation   the member raises it whenever it gives up what it held or asked for
    ticket       which request this is: the lease counts from when it was sent
    epoch        the highest that the member knows of
    """

    node: int
    incarnation: int
    generation: int
    ticket: int
    epoch: int


class Release(NamedTuple):
    """A member gave up what it held under that generation; node `to` is to have it, -1: whoever asks."""

    node: int
    incarnation: int
    generation: int
    to: int


class Granted(NamedTuple):
    """The asker may own under that epoch, for `lease` nanoseconds from when it sent the request."""

    incarnation: int
    generation: int
    ticket: int
    epoch: int
    lease: int


class Denied(NamedTuple):
    """It may not, and `why`: 'held', 'kept for another', 'just started', 'given up'. epoch, node: the last grant."""

    incarnation: int
    generation: int
    ticket: int
    epoch: int
    node: int
    why: str


Request = Ask | Release
Reply = Granted | Denied
