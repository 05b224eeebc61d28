"""The policy in effect: who begins now follows it, and one that is broken never takes its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mtad.admission.policy import Policy, PolicyErrors
from mtad.mail.envelope import Envelope
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.verdict import Disposition
from mtad.sieve.errors import SieveError
from mtad.telemetry.events import Events

ERRORS_TOLD_MAX = 20  # in the log, of one load


@dataclass(frozen=True, slots=True)
class PolicyState:
    """How the policy is.

    loaded_ms   UTC; when the one in effect was read
    errors      what is wrong with one that was to take its place, and did not
    """

    loaded_ms: int
    errors: tuple[SieveError, ...] = ()


class PolicyInEffect:
    """Holds the policy, and replaces it as a whole when it is told to load it anew."""

    def __init__(
        self, policy: Policy, load: Callable[[], Policy | PolicyErrors], events: Events, wall_ms: Callable[[], int]
    ) -> None:
        self._load = load
        self._events = events
        self._wall_ms = wall_ms
        self.current = policy
        self.state = PolicyState(wall_ms())

    def reload(self) -> PolicyState:
        """Load the policy anew; where it is broken, the old one stays in effect."""
        try:
            found = self._load()
        except Exception as fault:  # noqa: BLE001 (the boundary of a load: who told us to has mail in hand)
            found = PolicyErrors((SieveError("policy", 1, 1, f"cannot be loaded: {type(fault).__name__}: {fault}"),))
        if isinstance(found, PolicyErrors):
            self.state = PolicyState(self.state.loaded_ms, found.errors)
            for error in found.errors[:ERRORS_TOLD_MAX]:
                self._events.emit("policy.broken", "error", error=str(error))
        else:
            self.current = found
            self.state = PolicyState(self._wall_ms())
            self._events.emit("policy.loaded")
        return self.state

    async def deliver(self, envelope: Envelope, recipient: str, notes: Notes = NO_NOTES) -> Disposition:
        """Say where a recipient goes, by the policy of this moment."""
        return await self.current.deliver(envelope, recipient, notes)
