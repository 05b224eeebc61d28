"""How a command is carried out, and what stands behind its verb (RFC 5321 §4.1.1, §4.5.3.1.4; RFC 2920 §3.1)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from mtad.server.chunking import Chunk
from mtad.server.step import Step, Then

LINE_OCTETS_MAX = 512  # RFC 5321 §4.5.3.1.4

Conversation = TypeVar("Conversation")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def argument_of(octets: bytes) -> str | None:
    """Return what stands behind a verb; None when it is no text."""
    try:
        argument = octets.decode("utf-8").strip(" ")
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(argument) else argument


@dataclass(frozen=True, slots=True)
class Verb(Generic[Conversation]):
    """How a command is carried out.

    is_last_in_group   the client must wait for the reply before it sends more (RFC 2920 §3.1); the others that
                       RFC 2920 names are harmless
    is_idle            it brings no message closer; a client may not go on with such for ever
    octets_max         of the line with its CRLF; SessionLimits.command_octets_max stands above it
    is_before_octets   what follows is no command: where it cannot be told how much that is, nothing more is read
    """

    act: Callable[[Conversation, str], Awaitable[Step | Chunk]]
    is_last_in_group: bool = False
    is_idle: bool = False
    octets_max: int = LINE_OCTETS_MAX
    is_before_octets: bool = False

    def unread(self, step: Step) -> Step:
        """Return the answer to a command that was not carried out."""
        return replace(step, then=Then.CLOSE) if self.is_before_octets else step
