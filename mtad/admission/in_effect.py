"""The policy in effect: who begins now follows it, and one that is broken never takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mtad.admission.policy import Policy, PolicyErrors
from mtad.mail.envelope import Envelope
from mtad.mail.notes import NO_NOTES, Notes
from mtad.mail.verdict import Disposition, Resolution, Tried
from mtad.sieve.errors import SieveError
from mtad.telemetry.events import Events

ERRORS_TOLD_MAX = 20  # in the log, of one load


@dataclass(frozen=True, slots=True)
class PolicyState:
    """How the policy is.

    loaded_ms   UTC; when the one in effect was read
    errors      what is wrong with one that was to take its place, and did not
    broken_ms   UTC; since when there is something wrong
    """

    loaded_ms: int
    errors: tuple[SieveError, ...] = ()
    broken_ms: int = 0


class PolicyInEffect:
    """Holds the policy, and replaces it as a whole when it is told to load it anew."""

    def __init__(
        self, policy: Policy, load: Callable[[], Policy | PolicyErrors], events: Events, wall_ms: Callable[[], int]
    ) -> None:
        self._load = load
        self._events = events
        self._wall_ms = wall_ms
        self._on_load: Callable[[], None] = lambda: None
        self._turn = asyncio.Lock()
        self._loads: set[asyncio.Task[PolicyState]] = set()  # that nobody waits for
        self.current = policy
        self.state = PolicyState(wall_ms())

    def on_load(self, callback: Callable[[], None]) -> None:
        """Call back when another one is in effect."""
        self._on_load = callback

    def begin_reload(self) -> None:
        """Have the policy loaded anew: nobody waits for it."""
        load = asyncio.get_running_loop().create_task(self.reload())
        self._loads.add(load)
        load.add_done_callback(self._loads.discard)

    async def reload(self) -> PolicyState:
        """Load the policy anew; where it is broken, the old one stays in effect.

        In a thread, and one at a time: what is large takes seconds, in which the other node must hear this one.
        """
        async with self._turn:
            found = await asyncio.to_thread(self._found)
            if isinstance(found, PolicyErrors):
                self.state = PolicyState(self.state.loaded_ms, found.errors, self.state.broken_ms or self._wall_ms())
                for error in found.errors[:ERRORS_TOLD_MAX]:
                    self._events.emit("policy.broken", "error", error=str(error))
            else:
                self.current = found
                self.state = PolicyState(self._wall_ms())
                self._events.emit("policy.loaded")
                self._on_load()
            return self.state

    def _found(self) -> Policy | PolicyErrors:
        try:
            return self._load()
        except Exception as error:  # noqa: BLE001 (the boundary of a load: who told us to has mail in hand)
            why = f"cannot be loaded: {type(error).__name__}: {error}"
            return PolicyErrors((SieveError("policy", 1, 1, why),))

    async def deliver(self, envelope: Envelope, recipient: str, notes: Notes = NO_NOTES) -> Disposition:
        """Say where a recipient of what is in the queue goes, by the policy of this moment."""
        return await self.current.deliver(envelope, recipient, notes, is_anew=True)

    @property
    def has_queue_stage(self) -> bool:
        """Tell whether the policy of this moment has one."""
        return self.current.has_queue_stage

    async def queue(self, envelope: Envelope, recipient: str, notes: Notes, tried: Tried) -> Resolution:
        """Say what becomes of a recipient that was not delivered to, by the policy of this moment."""
        return await self.current.queue(envelope, recipient, notes, tried)
