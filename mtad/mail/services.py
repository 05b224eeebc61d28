"""What other programs say of a session or a message: milters, policy services and scanners, and who asks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mtad.mail.reply import Reply


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A service that could not be asked; the text is for our log."""

    why: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A milter that lets it go on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A milter that does not, and what the client is to hear."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Action:
    """What a policy service wants: a word as of access(5), and what it says besides."""

    word: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scanner found; None is what it did not look for.

    spam_percent   how sure it is
    virus          1 (clean) to 5 (infected, RFC 5235 §2.5)
    """

    spam_percent: int | None = None
    virus: int | None = None


NOT_SCANNED = Scanned()
Attributes = Mapping[str, str]
"""What is known, by the names of Postfix's policy protocol; no value holds CR, LF or NUL."""


class Services(Protocol):
    """Who asks them, by the names that the node has for them. None of it raises."""

    async def milter(self, name: str, attributes: Attributes, content: bytes) -> Passed | Refused | Unanswered:
        """Show a milter what came, b'' before the content."""
        ...

    async def policy(self, name: str, attributes: Attributes) -> Action | Unanswered:
        """Ask a policy service."""
        ...

    async def scan(self, name: str, content: bytes) -> Scanned | Unanswered:
        """Have a scanner look at a message."""
        ...


class NoServices:
    """Stands where nobody asks them."""

    async def milter(self, name: str, attributes: Attributes, content: bytes) -> Unanswered:
        """Say so."""
        return _nobody_asks(name)

    async def policy(self, name: str, attributes: Attributes) -> Unanswered:
        """Say so."""
        return _nobody_asks(name)

    async def scan(self, name: str, content: bytes) -> Unanswered:
        """Say so."""
        return _nobody_asks(name)


def _nobody_asks(name: str) -> Unanswered:
    return Unanswered(f"{name} is not available")
