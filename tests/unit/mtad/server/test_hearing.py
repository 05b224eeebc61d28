"""In whatever order a message and its client come to their ends: what was taken is remembered, or surely was heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from mtad.mail.memory import Memory, name_of_recipient
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.rehearsal.rooms import DictMemories
from mtad.server.hearing import REMEMBERING_MAX, Hearing, Remembering
from mtad.telemetry.events import CollectedEvents

TAKEN = Outcome(Result.DELIVERED, Reply.of(250, "2.0.0", "Ok"), "mx.example.net")
ONE, TWO = "one@example.net", "two@example.net"
BEGUN = Memory("01JD4Z8Q6K100000", b"f", 5, {ONE: None, TWO: None}, until_ms=9)


def by_every_name(found: Mapping[str, Outcome]) -> dict[str, Outcome]:
    return {**found, **{name_of_recipient(address): outcome for address, outcome in found.items()}}


# What becomes of the client, and whether it has heard then.
CLIENTS: dict[str, Callable[[Hearing], None]] = {
    "speaks": Hearing.heard,
    "ends in order": lambda hearing: hearing.gone(has_acknowledged=True),
    "is lost": lambda hearing: hearing.gone(has_acknowledged=False),
    "is silent": lambda _hearing: None,
}
HAS_HEARD = frozenset({"speaks", "ends in order"})


@given(
    goes_at=st.sampled_from(["first", "begun", "settled", "later"]),
    is_taken=st.booleans(),
    is_accepted=st.booleans(),
    is_awaited=st.booleans(),
    is_ahead=st.booleans(),
    client=st.sampled_from(sorted(CLIENTS)),
)
async def test_what_was_taken_is_remembered_unless_it_was_heard(
    goes_at: str, is_taken: bool, is_accepted: bool, is_awaited: bool, is_ahead: bool, client: str
) -> None:
    memories = DictMemories()
    remembering = Remembering(memories, CollectedEvents())
    hearing = remembering.hearing(is_gone=goes_at == "first")
    hearing.begin(BEGUN, by_every_name)
    if goes_at == "begun":
        hearing.gone(has_acknowledged=True)  # of what it had sent before
    if is_taken:
        hearing.take({ONE: TAKEN})
    hearing.settle(is_accepted=is_accepted, is_awaited=is_awaited)
    if goes_at == "settled":
        hearing.gone(has_acknowledged=False)
    hearing.answered(is_ahead=is_ahead)
    CLIENTS[client](hearing)
    hearing.end()
    await remembering.tasks.drained()
    has_heard = goes_at == "later" and is_accepted and (is_ahead or client in HAS_HEARD)
    is_remembered = is_taken and (is_awaited or not has_heard)
    assert len(memories.all) == is_remembered
    for memory in memories.all:
        assert (ONE in memory.outcomes) is not has_heard, "who has heard brings another message"
        assert memory.settled == {name_of_recipient(ONE): TAKEN}
        assert memory.outcomes[TWO] not in (None, TAKEN), "it is known to have been brought"


async def test_an_attempt_that_was_cut_off_stays_in_doubt() -> None:
    memories = DictMemories()
    remembering = Remembering(memories, CollectedEvents())
    hearing = remembering.hearing(is_gone=True)
    hearing.begin(BEGUN, by_every_name)
    hearing.end()
    await remembering.tasks.drained()
    assert memories.all == []  # nothing had been written of it, and nothing is known
    hearing = remembering.hearing(is_gone=True)
    hearing.begin(BEGUN, by_every_name)
    while not memories.all:
        await asyncio.sleep(0)
    hearing.end()
    await remembering.tasks.drained()
    assert memories.all == [BEGUN]


async def test_no_more_is_written_at_once_than_the_limit() -> None:
    events = CollectedEvents()
    remembering = Remembering(DictMemories(), events)
    for _ in range(REMEMBERING_MAX + 1):
        hearing = remembering.hearing(is_gone=True)
        hearing.begin(BEGUN, by_every_name)
    assert [fields["why"] for fields in events.named("memory.refused")] == ["busy"]
    await remembering.tasks.cut_off()


async def test_a_fault_in_one_memory_is_its_own() -> None:
    events = CollectedEvents()

    class Failing(DictMemories):
        async def remember(self, memory: Memory) -> bool:
            raise RuntimeError("secret of the queue")

    remembering = Remembering(Failing(), events)
    hearing = remembering.hearing(is_gone=True)
    hearing.begin(BEGUN, by_every_name)
    await remembering.tasks.drained()
    assert [fields["stage"] for fields in events.named("session.fault")] == ["memory"]
