"""What a session answers to one command, and what the connection does next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from mtad.mail.reply import Reply


class Then(Enum):
    """What follows the reply."""

    COMMAND = auto()  # the next command
    CONTENT = auto()  # the content, up to the end of the data
    TLS = auto()  # the TLS handshake, and a new session
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """A reply and what follows it.

    reply   of several: what they come to
    said    the replies that the client gets, where they are several
    """

    reply: Reply
    then: Then = Then.COMMAND
    said: tuple[Reply, ...] = ()

    @property
    def replies(self) -> tuple[Reply, ...]:
        """What the client gets."""
        return self.said or (self.reply,)


def with_status(reply: Reply) -> Reply:
    """Return the reply with an enhanced status code, which every reply of ours carries (RFC 2034 §4)."""
    return reply if reply.enhanced else replace(reply, enhanced=f"{reply.code // 100}.0.0")
