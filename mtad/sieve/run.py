"""One run of a script: the facts that it may ask for, what it decided so far, and what it may still spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mtad.limits.places import Holder
from mtad.mail.deliver_by import DeliverBy
from mtad.mail.services import NOT_SCANNED
from mtad.mail.verdict import Seen
from mtad.sieve.actions import Action, AddRecipient, Redirect
from mtad.sieve.doors import NO_DOORS, Doors
from mtad.sieve.edits import Edit, NewContent
from mtad.sieve.message import Message


class Facts(Protocol):
    """What a script may know. The compiler lets a script ask only for what its stage has."""

    def environment(self, item: str) -> str:
        """Return an item of the environment; '' when it is not known."""
        ...

    def envelope(self, part: str) -> Sequence[str]:
        """Return the addresses of 'from', 'to' or 'auth', without brackets ('' is the null reverse-path), or the values
        of what the sender asks to be told: 'ret', 'envid', 'notify', 'orcpt'."""
        ...

    def deliver_by(self) -> DeliverBy | None:
        """Return by when the message is to be delivered; None where its sender has not said."""
        ...

    def message(self) -> Message:
        """Return the message."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may spend."""

    nodes_max: int = 100_000  # commands and tests executed, and values compared: about 40 ms at worst
    actions_max: int = 64
    redirects_max: int = 4  # RFC 5228 §10: what multiplies mail must have a limit
    recipients_added_max: int = 256  # in the whole run, by redirects too, of which each recipient may have its own
    sightings_max: int = 16
    value_length_max: int = 4096  # of a variable, and of a string that holds some; RFC 5229 §6 asks for 4000


class ScriptFailed(Exception):  # noqa: N818 - the name of the event, not of an error in the program
    """A run that cannot go on. The one who started it answers fail-closed."""


class LimitExceeded(ScriptFailed):
    """A run spent more than it may."""


class Run:
    """The state of one run.

    captures    what the last successful match stood for (RFC 5229 §3.2), the whole value first
    variables   by their key in the run: scope and name
    points      thousandths, by symbol
    edited      the message as the script has changed it
    included    the scripts that were run in it
    part        the entity that `foreverypart` is at
    recipient   the one that `foreachrcpt` is at
    each        what is to be done about single recipients
    ruled       those of them that have their verdict
    scanned     what a scanner has found
    seen        what is to be remembered if the message is accepted
    noted       the variables of single recipients that the loop is not at
    holder      has the places that the session holds; None where there is no session
    """

    __slots__ = (
        "_has_ruled",
        "_leaving",
        "_nodes_left",
        "_now",
        "_recipients_added_count",
        "actions",
        "captures",
        "doors",
        "each",
        "edited",
        "facts",
        "holder",
        "included",
        "limits",
        "noted",
        "part",
        "points",
        "recipient",
        "ruled",
        "scanned",
        "seen",
        "variables",
    )

    def __init__(self, facts: Facts, limits: Limits, doors: Doors = NO_DOORS) -> None:
        self.facts = facts
        self.limits = limits
        self.actions: list[Action] = []
        self.captures: Sequence[str] = ()
        self.variables: dict[str, str] = {}
        self.points: dict[str, int] = {}
        self.edited: Message | None = None
        self.included: set[tuple[str, str]] = set()
        self.part: Message | None = None
        self.recipient: str | None = None
        self.each: dict[str, Sequence[Action]] = {}
        self.ruled: set[str] = set()
        self.scanned = NOT_SCANNED
        self.seen: dict[Seen, None] = {}
        self.noted: dict[str, dict[str, str]] = {}
        self.doors = doors
        self.holder: Holder | None = None
        self._has_ruled = False
        self._leaving: str | None = None
        self._now: datetime | None = None
        self._nodes_left = limits.nodes_max
        self._recipients_added_count = 0

    def envelope(self, part: str) -> Sequence[str]:
        """Return the addresses of 'from' or 'to'; in a loop over the recipients 'to' is the one that it is at."""
        return (self.recipient,) if self.recipient is not None and part == "to" else self.facts.envelope(part)

    def message(self) -> Message:
        """Return the message, as the script has changed it so far."""
        return self.edited or self.facts.message()

    def entity(self) -> Message:
        """Return the part that a loop is at, else the message."""
        return self.part or self.message()

    def now(self) -> datetime:
        """Return the time, the same throughout the run (RFC 5260 §5), in the local zone. Errors: ScriptFailed."""
        if self._now is None:
            if self.doors.clock is None:
                raise ScriptFailed("the time is not known here")
            self._now = self.doors.clock()
        return self._now

    def score(self, symbol: str, points: int) -> None:
        """Note the points of a symbol, instead of those that it had."""
        self.points[symbol] = points

    def see(self, one: Seen) -> None:
        """Have it remembered if the message is accepted. Errors: LimitExceeded."""
        self.seen[one] = None
        if len(self.seen) > self.limits.sightings_max:
            raise LimitExceeded("what is to be remembered")

    def leave(self, what: str) -> bool:
        """Go behind the block of this name, '' the nearest; return what stops the commands in it."""
        self._leaving = what
        return True

    def leaves(self, name: str) -> bool:
        """Tell whether it is this block that commands were stopped to leave."""
        if self._leaving is None or self._leaving not in ("", name):
            return False
        self._leaving = None
        return True

    def spend(self, nodes: int) -> None:
        """Count work. Errors: LimitExceeded."""
        self._nodes_left -= nodes
        if self._nodes_left < 0:
            raise LimitExceeded("nodes")

    def act(self, action: Action, *, is_terminal: bool = False) -> bool:
        """Note what the script wants done, and return whether it stops there. Errors: LimitExceeded."""
        if len(self.actions) >= self.limits.actions_max:
            raise LimitExceeded("actions")
        if isinstance(action, Redirect) and self._redirects_count() >= self.limits.redirects_max:
            raise LimitExceeded("redirects")
        if isinstance(action, AddRecipient | Redirect):
            self._recipients_added_count += 1
            if self._recipients_added_count > self.limits.recipients_added_max:
                raise LimitExceeded("added recipients")
        self.actions.append(action)
        self._has_ruled = is_terminal
        return is_terminal

    def take_content(self, content: bytes) -> None:
        """Have this in place of the message and of all that was changed of it so far. Errors: LimitExceeded."""
        self.actions = [action for action in self.actions if not isinstance(action, Edit)]
        self.act(NewContent(content))
        self.edited = Message(content)

    def has_ruled(self) -> bool:
        """Tell whether it is a verdict that commands were stopped by, and take it for heard."""
        has_ruled, self._has_ruled = self._has_ruled, False
        return has_ruled

    def _redirects_count(self) -> int:
        return sum(isinstance(action, Redirect) for action in self.actions)
