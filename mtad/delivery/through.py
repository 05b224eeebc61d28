"""Delivery while the client waits, and delivery from the queue: the same attempts, begun at RCPT or all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from mtad.delivery.attempt import Attempt, Means
from mtad.delivery.client_commands import TOO_LATE, path_octets, stuffed
from mtad.delivery.client_events import Mail
from mtad.delivery.connection import Content, Timeouts
from mtad.delivery.destination import Destination, Destinations
from mtad.delivery.pool import Pool, PoolLimits
from mtad.delivery.warrant import Warrant
from mtad.dns.resolver import Resolver
from mtad.mail import utf8
from mtad.mail.deliver_by import DeliverBy
from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest, Requests
from mtad.mail.envelope import domain_of
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply, local_fault
from mtad.mail.route import Route
from mtad.telemetry.events import Events


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """Bounds of delivery."""

    recipients_per_transaction_max: int = 100
    rcpt_seconds_max: float = 10  # how long RCPT waits for the next hop, connecting included
    background_max: int = 500  # attempts that go on after their deadline
    background_octets_max: int = 268435456  # and their contents together


@dataclass(frozen=True, slots=True)
class Finished:
    """What is known at the deadline: every recipient stands in one of the two.

    outcomes   also those of the recipients that were refused at RCPT
    pending    attempts that go on; each future gets an outcome, whatever happens
    """

    outcomes: dict[str, Outcome]
    pending: dict[str, asyncio.Future[Outcome]]


_UTF8_ADDRESS = Reply.of(553, "5.6.7", "The address needs SMTPUTF8")


class Transaction:
    """One message on its way to all its next hops. Made by `Delivery.open`."""

    def __init__(self, delivery: Delivery, mail: Mail, trace: str) -> None:
        self._delivery = delivery
        self._mail = mail
        self._trace = trace
        self._outcomes: dict[str, Outcome | None] = {}
        self._undecided_count = 0
        self._attempts: dict[tuple[Destination, DeliverBy | None, int], Attempt] = {}
        self._tasks: dict[asyncio.Task[None], Attempt] = {}
        self._pending: dict[str, asyncio.Future[Outcome]] = {}
        self._all_decided: asyncio.Future[None] | None = None

    async def recipient(self, address: str, route: Route, request: RecipientRequest = NO_REQUEST) -> Outcome | None:
        """Ask the next hop for a recipient where a connection is at hand.

        None: it agrees, or was not asked yet. An Outcome is a refusal, DELAYED or FAILED, and stays the recipient's.
        """
        attempt = await self._attempt(address, route, request)
        if attempt is not None and self._mail.is_verp:  # each takes a connection of its own: not while others are named
            attempt.add(address, request)
        elif attempt is not None:
            await attempt.ask(address, request, self._delivery.limits.rcpt_seconds_max)
        return self._outcomes[address]

    async def add(self, address: str, route: Route, request: RecipientRequest = NO_REQUEST) -> None:
        """Add a recipient that is asked for with the content."""
        attempt = await self._attempt(address, route, request)
        if attempt is not None:
            attempt.add(address, request)

    async def leave_out(self, addresses: Collection[str]) -> None:
        """Forget recipients before the content is there: they have it, and nothing more is said of them."""
        for attempt in self._attempts.values():
            await attempt.leave_out(addresses)
        left_out = [address for address in addresses if address in self._outcomes]
        self._undecided_count -= sum(self._outcomes.pop(address) is None for address in left_out)

    async def finish(self, content: bytes, deadline_seconds: float | None, warrant: Warrant | None = None) -> Finished:
        """Send the content to every next hop; return at the deadline, or when all is known (None: no deadline).

        Cancelled, it gives everything up.
        """
        octets = content if self._mail.is_binary else stuffed(content)
        if octets is None:
            self._delivery.events.emit("delivery.fault", "error", trace=self._trace, why="content has stray CR or LF")
            self._fail_undecided()
            await self.abort()
        elif self._undecided_count:
            may_finish = None if warrant is None else warrant.may_finish
            if warrant is not None:
                warrant.withdrawn.add_done_callback(self._withdraw)
            has_utf8_fields = self._mail.is_utf8 and utf8.has_utf8_fields(content)
            await self._send(Content(octets, len(content), may_finish, has_utf8_fields), deadline_seconds)
        else:  # next hops that have refused everybody still hold the transaction open
            await self.abort()
        outcomes = {address: outcome for address, outcome in self._outcomes.items() if outcome is not None}
        return Finished(outcomes, dict(self._pending))

    def _withdraw(self, _withdrawn: asyncio.Future[None]) -> None:
        """Give up what has no final dot yet, next hop by next hop."""
        for task, attempt in self._tasks.items():
            if not attempt.is_past_dot:
                task.cancel()

    async def abort(self) -> None:
        """Give everything up; connections go back to the pool or are closed."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        else:
            for attempt in self._attempts.values():
                await attempt.abort()
        self._attempts.clear()

    async def _attempt(self, address: str, route: Route, request: RecipientRequest) -> Attempt | None:
        """Return the attempt that takes this recipient; None when its outcome is known already."""
        if address in self._outcomes:
            return None
        self._outcomes[address] = None
        self._undecided_count += 1
        by = request.time_in(self._mail.request)
        is_late = by is not None and by.is_return and by.left(self._delivery.means.wall_ms()).seconds <= 0
        refusal = Outcome(Result.FAILED, TOO_LATE) if is_late else self._unspeakable(address)
        if refusal is not None:
            self._decide(address, refusal)
            return None
        destination = await self._delivery.means.destinations.of(address, route)
        if isinstance(destination, Outcome):
            self._decide(address, destination)
            return None
        mail = (
            self._mail
            if by is self._mail.request.by
            else replace(self._mail, request=replace(self._mail.request, by=by))
        )
        if mail.is_verp:
            return self._begun(destination, len(self._attempts), replace(mail, named=address))
        number = 0
        while True:
            attempt = self._attempts.get((destination, by, number))
            if attempt is None:
                attempt = self._begun(destination, number, mail)
            if attempt.takes(address, self._delivery.limits.recipients_per_transaction_max):
                return attempt
            number += 1

    def _begun(self, destination: Destination, number: int, mail: Mail) -> Attempt:
        """Return a new attempt at a destination; no other one there has its number, and as much time."""
        attempt = Attempt(self._delivery.means, destination, mail, self._decide)
        self._attempts[destination, mail.request.by, number] = attempt
        return attempt

    def _unspeakable(self, address: str) -> Outcome | None:
        """Return the outcome of a message whose paths may not be sent; controls in them are our own fault."""
        paths = (self._mail.reverse_path, address)
        if all(path_octets(path, is_utf8=self._mail.is_utf8) is not None for path in paths):
            return None
        if all(path_octets(path, is_utf8=True) is not None for path in paths):
            return Outcome(Result.FAILED, _UTF8_ADDRESS)
        return Outcome(Result.DELAYED, local_fault(self._trace))

    async def _send(self, content: Content, deadline_seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._all_decided = loop.create_future()
        for attempt in self._attempts.values():
            task = loop.create_task(self._run(attempt, content))
            self._tasks[task] = attempt
            self._delivery.track(task, attempt)
        timer = loop.call_later(deadline_seconds, self._on_deadline) if deadline_seconds is not None else None
        try:
            await self._all_decided
            if self._undecided_count:
                await self._go_on(content)
        except asyncio.CancelledError:
            await self.abort()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    async def _go_on(self, content: Content) -> None:
        """Leave what is undecided to the background; of what is too much there give up what has no final dot first."""
        if not self._delivery.goes_on(self._running, content):
            before_dot = [task for task in self._running if not self._tasks[task].is_past_dot]
            for task in before_dot:
                task.cancel()
            if before_dot:
                await asyncio.wait(before_dot)
            if not self._delivery.goes_on(self._running, content):
                await self.abort()
                return
        loop = asyncio.get_running_loop()
        self._pending = {
            address: loop.create_future() for address, outcome in self._outcomes.items() if outcome is None
        }

    @property
    def _running(self) -> list[asyncio.Task[None]]:
        return [task for task in self._tasks if not task.done()]

    async def _run(self, attempt: Attempt, content: Content) -> None:
        try:
            await attempt.finish(content)
        except Exception as error:  # noqa: BLE001  # the boundary of an attempt: our fault costs a retry, no more
            why = f"{type(error).__name__}: {error}"
            self._delivery.events.emit("delivery.fault", "error", trace=self._trace, why=why)

    def _on_deadline(self) -> None:
        if self._all_decided is not None and not self._all_decided.done():
            self._all_decided.set_result(None)

    def _fail_undecided(self) -> None:
        for address, outcome in list(self._outcomes.items()):
            if outcome is None:
                self._decide(address, Outcome(Result.DELAYED, local_fault(self._trace)))

    def _decide(self, address: str, outcome: Outcome) -> None:
        self._outcomes[address] = outcome
        self._undecided_count -= 1
        self._delivery.events.emit(
            "delivery.outcome",
            trace=self._trace,
            recipient=address,
            result=outcome.result.value,
            next_hop=outcome.next_hop,
            reply=str(outcome.reply),
        )
        pending = self._pending.get(address)
        if pending is not None and not pending.done():
            pending.set_result(outcome)
        if not self._undecided_count:
            self._on_deadline()


class Delivery:
    """All deliveries of one process.

    hostname   how we name ourselves to next hops; MX records that name it lead back to us
    wall_ms    UTC, for mail that is to be delivered by a certain time
    """

    def __init__(
        self,
        hostname: str,
        resolver: Resolver,
        events: Events,
        limits: DeliveryLimits | None = None,
        pool: Pool | None = None,
        *,
        wall_ms: Callable[[], int],
    ) -> None:
        self.events = events
        self.limits = limits or DeliveryLimits()
        used = pool or Pool(hostname, PoolLimits(), Timeouts())
        self.means = Means(used, Destinations(resolver, frozenset({hostname.lower()}), used.families), wall_ms)
        self._tasks: dict[asyncio.Task[None], Attempt] = {}
        self._background: dict[asyncio.Task[None], Content] = {}

    def open(self, mail: Mail, *, trace: str) -> Transaction:
        """Begin a message; nothing is sent before its first recipient."""
        return Transaction(self, mail, trace)

    async def attempt(
        self,
        mail: Mail,
        recipients: Mapping[str, Route],
        content: bytes,
        *,
        requests: Requests,
        trace: str,
        warrant: Warrant,
    ) -> dict[str, Outcome]:
        """Deliver from the queue: no deadline but the time-outs of the protocol, and the end of the warrant."""
        transaction = self.open(mail, trace=trace)
        domains = {(domain_of(address), route): address for address, route in recipients.items()}
        if len(domains) > 1:  # look them up together; the resolver remembers
            await asyncio.gather(
                *(self.means.destinations.of(address, route) for (_, route), address in domains.items())
            )
        for address, route in recipients.items():
            await transaction.add(address, route, requests.get(address, NO_REQUEST))
        finished = await transaction.finish(content, None, warrant)
        return finished.outcomes

    def forget_failures(self) -> None:
        """Ask every next hop again, whatever befell it, and look up anew where it is: an operator wants it."""
        self.means.pool.forget_failures()
        self.means.destinations.forget()

    async def close(self) -> None:
        """Give up what runs and close all connections."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self.means.pool.close()

    def track(self, task: asyncio.Task[None], attempt: Attempt) -> None:
        """Keep a running attempt until it has ended, and see that it leaves nothing behind."""
        self._tasks[task] = attempt
        task.add_done_callback(self._ended)

    def goes_on(self, tasks: list[asyncio.Task[None]], content: Content) -> bool:
        """Let attempts outlive their deadline; False when too many do. They share the one content."""
        limits = self.limits
        if len(self._background) + len(tasks) > limits.background_max:
            return False
        sizes = {id(one): one.size_octets for one in (*self._background.values(), content)}
        if sum(sizes.values()) > limits.background_octets_max:
            return False
        self._background.update(dict.fromkeys(tasks, content))
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._background.pop(task, None)
        self._tasks.pop(task).close()
