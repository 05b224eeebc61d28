"""Whatever two nodes with clocks of their own claim, give back and record: they agree, and nothing is hidden."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import event, given, settings
from hypothesis import strategies as st

from mtad.mail.envelope import Client
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.spool import codec
from mtad.spool.codec import CLOCKS_APART_MS
from mtad.spool.door import FAR_MS, TERMINAL_RANK, Attempt, Claim, QueuedMessage, Rank, RecipientState
from replicator.core.merge import join_parts
from replicator.core.values import NO_FLAGS, Branch, Dot, Item, Record

HOUR_MS = 3_600_000
CLAIM_MS = 60_000
RETRY_MS = 240_000
BOB = "bob@example.net"
DELAYED = Outcome(Result.DELAYED, Reply.of(450, "4.2.1", "later"))
KEPT = QueuedMessage("01JD4Z8Q6K100000", "a@x.test", 0, Client("::1", 1), b"", {BOB: RecipientState()})


@dataclass
class Member:
    """One node: its copy, its clock, and what it has written that the other has not heard."""

    node: int
    clock_ms: int
    item: Item
    unheard: list[Record] = field(default_factory=list)

    def write(self, record: Record) -> None:
        self.take(record)
        self.unheard.append(record)

    def take(self, record: Record) -> None:
        self.item = self.item._replace(parts=join_parts(self.item.parts, dict(record.parts)))

    @property
    def state(self) -> RecipientState:
        return codec.read_message(self.item).recipients[BOB]

    @property
    def is_told(self) -> bool:
        return bool(self.state.delay_told_ms) or self.state.rank >= TERMINAL_RANK

    def claim(self) -> None:
        claim = Claim(self.node, self.clock_ms, self.clock_ms + CLAIM_MS)
        self.write(codec.claim_record(self.item, [BOB], claim, self.clock_ms))

    def give_back(self) -> None:
        self.write(codec.give_back_record(self.item, [BOB], self.node))

    def defer(self) -> None:
        count = self.state.attempts_count + 1
        attempts = (*self.state.attempts, Attempt(self.clock_ms, DELAYED, self.node))[-3:]
        told_ms = self.state.delay_told_ms or (self.clock_ms if count > 1 else 0)  # the sender hears of the second
        state = RecipientState(Rank.DEFERRED, self.clock_ms + RETRY_MS, attempts, count, delay_told_ms=told_ms)
        if self.state.rank < TERMINAL_RANK:
            self.write(codec.state_record(self.item, {BOB: state}, self.clock_ms))

    def deliver(self) -> None:
        state = RecipientState(Rank.DELIVERED, 0, (), self.state.attempts_count + 1)
        self.write(codec.state_record(self.item, {BOB: state}, self.clock_ms))

    def redate(self) -> None:
        self.write(codec.redated_record(self.item, self.clock_ms, self.clock_ms))


ACTS = [Member.claim, Member.claim, Member.give_back, Member.defer, Member.defer, Member.redate]
acts = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([*ACTS, Member.deliver]), st.integers(0, 200_000)))


def hear(members: tuple[Member, Member]) -> None:
    """Let both hear what the other has written; a warning that both had sent is known to have been sent."""
    are_told = all(member.is_told for member in members)
    for teller, hearer in (members, members[::-1]):
        for record in teller.unheard:
            hearer.take(record)
    for member in members:
        member.unheard.clear()
        assert member.is_told >= are_told


@settings(max_examples=300, deadline=None)
@given(acts, st.integers(-HOUR_MS, HOUR_MS), st.sets(st.integers(0, 20)), st.integers(0, 1))
def test_nothing_is_hidden_longer_than_was_meant(
    history: list[tuple[int, object, int]], apart_ms: int, meetings: set[int], owner: int
) -> None:
    record = codec.put_record(KEPT, 10 * HOUR_MS)
    item = Item(record.key, Dot(Branch(1, 1), 1), dict(record.parts), NO_FLAGS, record.meta, 0)
    members = (Member(1, 10 * HOUR_MS, item), Member(2, 10 * HOUR_MS + apart_ms, item))
    for number, (who, act, milliseconds) in enumerate(history):
        for member in members:
            member.clock_ms += milliseconds
        assert callable(act)
        was_told = members[who].is_told
        act(members[who])
        assert members[who].is_told >= was_told, "a warning that one act forgets is sent twice"
        if number in meetings:
            hear(members)
    hear(members)
    assert members[0].item == members[1].item
    taker = members[owner]
    before = taker.state
    taker.redate()
    state = taker.state
    assert (state.rank, state.attempts_count) == (before.rank, before.attempts_count)
    if state.rank < TERMINAL_RANK:
        event("redated" if state.due_ms != before.due_ms else "as it was")
        assert state.due_ms <= taker.clock_ms + max(CLAIM_MS, RETRY_MS) + CLOCKS_APART_MS
    if any(act is Member.deliver for _, act, _ in history):
        assert state.rank is Rank.DELIVERED
    assert codec.redated_record(taker.item, taker.clock_ms, taker.clock_ms).parts == (), "once is enough"


def test_what_an_hours_difference_does_is_undone() -> None:
    record = codec.put_record(KEPT, HOUR_MS)
    ahead = Member(2, 2 * HOUR_MS, Item(record.key, Dot(Branch(1, 1), 1), dict(record.parts), NO_FLAGS, b"", 0))
    ahead.item = ahead.item._replace(meta=record.meta)
    for act, wait_ms in ((Member.defer, RETRY_MS), (Member.claim, CLAIM_MS)):
        act(ahead)
        taker = Member(1, HOUR_MS, ahead.item)
        taker.redate()
        assert taker.state.due_ms == HOUR_MS + wait_ms
        assert codec.redated_record(taker.item, HOUR_MS, HOUR_MS).parts == (), "once is enough"
        assert ahead.state.due_ms == 2 * HOUR_MS + wait_ms
    held = taker.item._replace(parts={part: value._replace(due=FAR_MS) for part, value in ahead.item.parts.items()})
    assert codec.redated_record(held, HOUR_MS, HOUR_MS).parts == ()
