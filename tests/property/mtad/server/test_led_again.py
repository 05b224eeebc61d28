"""Whoever is asked for gets a message once, however often its client comes again, and whatever policy leads where.

All mixtures of what policy says of two names and of the message, of what next hops and the queue say first, and of how
the client hears and comes again: a model says who is asked for. A part of them is played here, evenly spread.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product

from mtad.mail.dsn_request import NO_REQUEST
from mtad.mail.envelope import Client, Envelope, Recipient
from mtad.mail.queue_id import QueueIdSource
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import Addition, RetryPlan, Verdict
from mtad.server.acceptance import Acceptance
from mtad.server.adding import Joining, joined, opened
from mtad.server.answering import Hears
from mtad.server.framing import ContentReader, OctetBudget
from mtad.server.limits import Limits
from mtad.server.transaction import Accepted, Transaction
from mtad.spool.door import Committed, Refusal, Refused
from mtad.telemetry.events import CollectedEvents
from tests.fakes.server_rooms import DELAYED, FakeRooms

A, B, X = "a@example.net", "b@example.net", "x@example.net"
OTHER = {A: B, B: A}
SPREAD = 211  # one of so many mixtures is played; coprime to the number of each choice
TRIES_MAX = 6
OCTETS_MAX = 1 << 20
LATER = Verdict(Reply.of(451, "4.7.1", "Not yet"))


def leading_to(*addresses: str, is_instead: bool = True, is_hidden: bool = False) -> Verdict:
    return Verdict(is_discarded=is_instead, added=tuple(Addition(one, is_hidden=is_hidden) for one in addresses))


OF_NAME = {
    "goes": None,
    "later": LATER,
    "dropped": Verdict(is_discarded=True),
    "to x": leading_to(X),
    "and x": leading_to(X, is_instead=False),
    "to other": None,  # which depends on the name
}
OF_MESSAGE = {
    "goes": Verdict(),
    "later": LATER,
    "to x": leading_to(X),
    "to a": leading_to(A),
    "and x": leading_to(X, is_instead=False),
    "and hidden x": leading_to(X, is_instead=False, is_hidden=True),
    "held": Verdict(held="suspect", queue_at_once=True),
}
AT_RCPT = ("nothing", "a is x", "and x")
AFTER_LATER = ("goes", "to x", "and x", "to other")


@dataclass(frozen=True)
class Case:
    """What a mixture is made of; `busy`: who is delayed at the first try."""

    hears: Hears
    at_rcpt: str
    of_message: str
    of_a: str
    of_b: str
    after_later: str
    busy: tuple[str, ...]
    has_room: bool  # in the queue, at the first try
    is_lost: bool  # the client does not hear the reply to the first try
    is_parted: bool  # it comes again with one recipient at a time

    def of(self, name: str, *, is_first: bool) -> str:
        said = self.of_a if name == A else self.of_b
        return self.after_later if said == "later" and not is_first else said

    def of_all(self, *, is_first: bool) -> str:
        return "goes" if self.of_message == "later" and not is_first else self.of_message

    def ruling(self, *, is_first: bool) -> Verdict:
        each = {name: self._of_name(name, self.of(name, is_first=is_first)) for name in (A, B)}
        told = {self._itself(name): one for name, one in each.items() if one}
        return replace(OF_MESSAGE[self.of_all(is_first=is_first)], each=told)

    def _of_name(self, name: str, said: str) -> Verdict | None:
        return leading_to(OTHER[name]) if said == "to other" else OF_NAME[said]

    def asked_for(self, *, is_first: bool) -> set[str]:
        """Return who is to get the message, when all have passed."""
        return self._for_itself(is_first=is_first) | self._for_others(is_first=is_first)

    @property
    def must_get_it(self) -> set[str]:
        """The same in the end, without those whom policy has refused for now as others were led to them.

        They were to hear that by their own names, and by those it may lead elsewhere later.
        """
        refused = {self._itself(name) for name in (A, B) if self.of(name, is_first=True) == "later"}
        return self._for_itself(is_first=False) | (self._for_others(is_first=False) - refused)

    def _itself(self, name: str) -> str:
        return X if name == A and self.at_rcpt == "a is x" else name

    def _for_itself(self, *, is_first: bool) -> set[str]:
        if self.of_all(is_first=is_first) in ("to x", "to a"):
            return set()
        found = {self._itself(name) for name in (A, B) if self.of(name, is_first=is_first) in ("goes", "and x")}
        return found | ({X} if self.at_rcpt == "and x" else set())

    def _for_others(self, *, is_first: bool) -> set[str]:
        to_all = {"to x": {X}, "and x": {X}, "and hidden x": {X}, "to a": {A}}.get(
            self.of_all(is_first=is_first), set()
        )
        of_names = [(name, self.of(name, is_first=is_first)) for name in (A, B)]
        to_x = {X for _, said in of_names if said in ("to x", "and x")}
        return to_all | to_x | {OTHER[name] for name, said in of_names if said == "to other"}


CHOICES: tuple[Sequence[object], ...] = (
    tuple(Hears),
    AT_RCPT,
    tuple(OF_MESSAGE),
    tuple(OF_NAME),
    tuple(OF_NAME),
    AFTER_LATER,
    ((), (A,), (B,), (X,), (B, X)),
    (True, False),
    (False, True),
    (False, True),
)


def cases() -> Iterator[Case]:
    return (Case(*chosen) for chosen in islice(product(*CHOICES), 0, None, SPREAD))  # type: ignore[arg-type]


@dataclass
class Play:
    """A client and a server, and what comes of a case."""

    case: Case
    rooms: FakeRooms = field(default_factory=FakeRooms)
    events: CollectedEvents = field(default_factory=CollectedEvents)
    tries_count: int = 0
    at_first: Counter[str] = field(default_factory=Counter)  # who has got it at the first try

    def __post_init__(self) -> None:
        self.clock = self.rooms.time.clock()
        self.collaborators = replace(self.rooms.collaborators(), queue_ids=QueueIdSource(5))
        budget = OctetBudget(OCTETS_MAX)
        self.acceptance = Acceptance("mx.here.example", Limits(), self.collaborators, budget, self.events, self.clock)

    async def run(self) -> None:
        """Bring the message until nobody is left that may come again."""
        waiting = [(A, B)]
        while waiting:
            assert self.tries_count < TRIES_MAX, "the client never hears the end of it"
            names = waiting.pop(0)
            is_first = self.tries_count == 0
            again = await self.bring(names, is_first=is_first)
            self.tries_count += 1
            self.at_first = self.copies if is_first else self.at_first
            if again:
                waiting += [(name,) for name in again] if self.case.is_parted else [again]

    async def bring(self, names: tuple[str, ...], *, is_first: bool) -> tuple[str, ...]:
        """Bring it for these; return those that the client comes again for."""
        self.rooms.policy.verdicts["data"] = self.case.ruling(is_first=is_first)
        self.rooms.delivery.at_end = dict.fromkeys(self.case.busy if is_first else (), DELAYED)
        self.rooms.door.answer = Committed(2) if self.case.has_room or not is_first else Refused(Refusal.FULL)
        reader = ContentReader(OctetBudget(OCTETS_MAX), size_octets_max=OCTETS_MAX, line_octets_max=OCTETS_MAX)
        reader.feed(b"text\r\n.\r\n")
        hearing = self.acceptance.remembering.hearing(is_gone=False)
        step = await self.acceptance.accept(await self.transaction(names), reader, hearing, session_id="s")
        hearing.answered(is_ahead=False)
        is_lost = is_first and self.case.is_lost
        if not is_lost:
            hearing.heard()
        hearing.end()
        await self.acceptance.remembering.tasks.drained()
        said = step.said[1:-1] if step.said and self.case.hears is Hears.DIFFERENCES else step.said
        heard = dict(zip(names, said or [step.reply] * len(names), strict=True))
        assert not any(reply.is_permanent for reply in heard.values()), heard
        return names if is_lost else tuple(name for name, reply in heard.items() if not reply.is_positive)

    async def transaction(self, names: tuple[str, ...]) -> Transaction:
        queue_id = self.collaborators.queue_ids.next(self.clock.wall_ms(), 1)
        envelope = Envelope("s@client.example", Client("192.0.2.1", 25), is_sender_verified=True, queue_id=queue_id)
        found = Transaction(envelope, self.rooms.policy, hears=self.case.hears, said_path="s@client.example")
        found = replace(found, through=opened(self.rooms.delivery, found))
        for name in names:
            address = X if name == A and self.case.at_rcpt == "a is x" else name
            if found.through is not None and found.accepted_before(address) is None:
                await found.through.recipient(address, Route(), NO_REQUEST)
                found = found.with_recipient(Accepted(Recipient(address, Route()), RetryPlan()))
            found = found.naming(name, address)
        if self.case.at_rcpt == "and x":
            found = await joined(found, [Joining(X, NO_REQUEST, is_extra=True)], self.events)
        return found

    @property
    def copies(self) -> Counter[str]:
        """How often each has got the message, or is to get it from the queue."""
        found: Counter[str] = Counter()
        for number, through in enumerate(self.rooms.delivery.opened):
            busy = self.case.busy if number == 0 else ()
            found.update(one for one in set(through.recipients) if through.content is not None and one not in busy)
        for message in self.rooms.door.messages.values():
            found.update(() if message.dsn_of else list(message.recipients))
        return found

    def copies_max(self, address: str) -> int:
        """Return how many one may get: one of each message that is brought apart, if it has it not from before."""
        return self.tries_count - 1 if self.case.is_parted and address not in self.at_first else 1


def test_whoever_is_asked_for_gets_it_once() -> None:
    reached: Counter[str] = Counter()

    async def play_all() -> None:
        for case in cases():
            play = Play(case)
            await play.run()
            assert play.events.named("session.fault") == [], case
            copies = play.copies
            asked_for = case.asked_for(is_first=True) | case.asked_for(is_first=False)
            assert case.must_get_it <= copies.keys(), f"lost: {case}"
            assert copies.keys() <= asked_for, f"sent to who is not asked for: {case}"
            assert all(count <= play.copies_max(one) for one, count in copies.items()), f"twice: {copies} {case}"
            reached["cases"] += 1
            reached["came again"] += play.tries_count > 1
            reached["known again"] += bool(play.events.named("retry.answered"))
            reached["apart"] += play.tries_count > 2
            reached["queued"] += bool(play.rooms.door.messages)

    asyncio.run(play_all())
    assert min(reached.values()) >= 300, reached
