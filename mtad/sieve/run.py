"""One run of a script: the facts that it may ask for, what it decided so far, and what it may still spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mtad.sieve.actions import Action, Redirect
from mtad.sieve.message import Message


class Facts(Protocol):
    """What a script may know. The compiler lets a script ask only for what its stage has."""

    def environment(self, item: str) -> str:
        """Return an item of the environment; '' when it is not known."""
        ...

    def envelope(self, part: str) -> Sequence[str]:
        """Return the addresses of 'from' or 'to', without brackets; '' is the null reverse-path."""
        ...

    def message(self) -> Message:
        """Return the message."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may spend."""

    nodes_max: int = 1 << 20  # commands and tests executed, and values compared
    actions_max: int = 64
    redirects_max: int = 4  # RFC 5228 §10: what multiplies mail must have a limit


class LimitExceeded(Exception):  # noqa: N818 - the name of the event, not of an error in the program
    """A run spent more than it may; ends the run. The one who started it answers fail-closed."""


class Run:
    """The state of one run."""

    __slots__ = ("_actions_max", "_nodes_left", "_redirects_max", "actions", "facts")

    def __init__(self, facts: Facts, limits: Limits) -> None:
        self.facts = facts
        self.actions: list[Action] = []
        self._nodes_left = limits.nodes_max
        self._actions_max = limits.actions_max
        self._redirects_max = limits.redirects_max

    def spend(self, nodes: int) -> None:
        """Count work. Errors: LimitExceeded."""
        self._nodes_left -= nodes
        if self._nodes_left < 0:
            raise LimitExceeded("nodes")

    def act(self, action: Action) -> None:
        """Note what the script wants done. Errors: LimitExceeded."""
        if len(self.actions) >= self._actions_max:
            raise LimitExceeded("actions")
        if (
            isinstance(action, Redirect)
            and sum(isinstance(one, Redirect) for one in self.actions) >= self._redirects_max
        ):
            raise LimitExceeded("redirects")
        self.actions.append(action)
