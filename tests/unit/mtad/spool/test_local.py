"""The queue in its own process: what is kept together, what is due, what the operator's verbs do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.limits.ledger import Ledger
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.pb import queue_pb2
from mtad.spool import codec
from mtad.spool.door import (
    DUE_AT_ONCE,
    FAR_MS,
    META_FORMAT,
    Attempt,
    Changes,
    Claim,
    Committed,
    Rank,
    RecipientState,
    Refusal,
    Refused,
)
from mtad.spool.local import FULL_CHECK_MS, Acted, LocalSpool, SpoolLimits
from mtad.telemetry.events import CollectedEvents
from replicator.core.values import Durability, Kind, Record
from replicator.node import Node
from replicator.status import Submitted
from tests.fakes.queue import START_MS, WallClock, message, new_queue_id, spooling

DELIVERED = RecipientState(Rank.DELIVERED, 0, (), 1)
DELAYED = Outcome(Result.DELAYED, Reply.of(450, "4.2.1", "later"), "mx.test")


def deferred(due_ms: int, attempts_count: int = 1) -> RecipientState:
    return RecipientState(Rank.DEFERRED, due_ms, (Attempt(START_MS, DELAYED, 1),), attempts_count)


@asynccontextmanager
async def queue(folder: Path, limits: SpoolLimits | None = None) -> AsyncIterator[tuple[LocalSpool, Node, WallClock]]:
    wall = WallClock()
    async with spooling(folder, wall, CollectedEvents(), limits) as (node, spool):
        yield spool, node, wall


async def keep(spool: LocalSpool, *messages: codec.QueuedMessage) -> None:
    assert await spool.commit(Changes(puts=messages), is_accepting=True) == Committed(1)


def all_ids(spool: LocalSpool) -> list[str]:
    return [one.queue_id for page in spool.pages() for one in page]


# --- the door -----------------------------------------------------------------------------------------------


async def test_what_is_committed_is_there_and_comes_back(tmp_path: Path) -> None:
    kept = message("b@y.test", "c@y.test")
    async with queue(tmp_path) as (spool, _, _):
        await keep(spool, kept)
        read = spool.message(kept.queue_id)
        assert read is not None
        assert set(read.recipients) == {"b@y.test", "c@y.test"}
        assert await spool.content(kept.queue_id) == kept.content
        assert all_ids(spool) == [kept.queue_id]
        assert spool.is_deliverable(kept.queue_id)


async def test_a_message_that_is_known_is_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    kept = message("b@y.test", "c@y.test")
    async with queue(tmp_path) as (spool, _, _):
        await keep(spool, kept)
        known = spool.message(kept.queue_id)
        assert spool.message(kept.queue_id, known) is known
        await spool.commit(Changes(states={kept.queue_id: {"b@y.test": DELIVERED}}), is_accepting=False)
        changed = spool.message(kept.queue_id, known)
        assert changed is not None
        assert changed.recipients["b@y.test"].rank is Rank.DELIVERED
        await spool.act("hold", [kept.queue_id])
        held = spool.message(kept.queue_id, changed)
        assert held is not None
        assert held.is_held
        await spool.act("delete", [kept.queue_id])
        assert spool.message(kept.queue_id, held) is None


async def test_a_message_is_gone_with_its_last_recipient(tmp_path: Path) -> None:
    kept = message("b@y.test", "c@y.test")
    async with queue(tmp_path) as (spool, _, _):
        await keep(spool, kept)
        for recipient, is_left in (("b@y.test", True), ("c@y.test", False)):
            changes = Changes(states={kept.queue_id: {recipient: DELIVERED}})
            assert isinstance(await spool.commit(changes, is_accepting=False), Committed)
            assert (spool.message(kept.queue_id) is not None) is is_left
        assert not spool.is_deliverable(kept.queue_id)
        assert await spool.content(kept.queue_id) is None


async def test_of_what_is_gone_nothing_is_said_and_no_dsn_is_sent(tmp_path: Path) -> None:
    gone, here = message(), message()
    async with queue(tmp_path) as (spool, _, _):
        await keep(spool, here)
        failed = RecipientState(Rank.FAILED, 0, (), 1)
        late = codec.QueuedMessage(**{**_fields(message(reverse_path="")), "dsn_of": gone.queue_id})
        due = codec.QueuedMessage(**{**_fields(message(reverse_path="")), "dsn_of": here.queue_id})
        for of, put in ((gone, late), (here, due)):
            changes = Changes(puts=(put,), states={of.queue_id: {"b@y.test": failed}})
            assert isinstance(await spool.commit(changes, is_accepting=False), Committed)
        assert all_ids(spool) == [due.queue_id]


def _fields(one: codec.QueuedMessage) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__}


async def test_a_dsn_alone_is_kept_though_its_message_never_was(tmp_path: Path) -> None:
    report = codec.QueuedMessage(**{**_fields(message(reverse_path="")), "dsn_of": new_queue_id()})
    async with queue(tmp_path) as (spool, _, _):
        await keep(spool, report)
        assert all_ids(spool) == [report.queue_id]


async def test_octets_that_are_no_utf8_are_found_again(tmp_path: Path) -> None:
    kept = message("\udcfc@y.test")
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        (entry,) = spool.due(wall() + 1, 10)
        assert entry.recipient == "\udcfc@y.test"
        await spool.commit(Changes(states={kept.queue_id: {entry.recipient: DELIVERED}}), is_accepting=False)
        assert all_ids(spool) == []


async def test_a_full_store_refuses_what_is_new_and_records_what_ends(tmp_path: Path) -> None:
    kept = message()
    async with queue(tmp_path, SpoolLimits(free_permille_min=0)) as (spool, node, wall):
        await keep(spool, kept)
        full = LocalSpool(node, SpoolLimits(free_permille_min=1001), CollectedEvents(), wall, Ledger(1))
        assert await full.commit(Changes(puts=(message(),)), is_accepting=True) == Refused(Refusal.FULL)
        ends = Changes(states={kept.queue_id: {"b@y.test": DELIVERED}})
        assert isinstance(await full.commit(ends, is_accepting=False), Committed)


async def test_fullness_is_reported_once_and_its_end_too(tmp_path: Path) -> None:
    events = CollectedEvents()
    async with queue(tmp_path) as (_, node, wall):
        spool = LocalSpool(node, SpoolLimits(free_permille_min=1001), events, wall, Ledger(1))
        for _ in range(3):
            wall.forward(FULL_CHECK_MS / 1000)
            await spool.commit(Changes(puts=(message(),)), is_accepting=True)
        assert len(events.named("queue.full")) == 1


@pytest.mark.parametrize(
    ("why", "refusal"),
    [("full", Refusal.FULL), ("peer", Refusal.PEER), ("failed", Refusal.FAILED), ("stopping", Refusal.FAILED)],
)
async def test_what_the_node_refuses_is_refused(tmp_path: Path, why: str, refusal: Refusal) -> None:
    class Refusing(Node):
        async def submit(self, records: Sequence[Record], *, wait: bool) -> Submitted:
            return Submitted(Durability.REFUSED, why)

    async with queue(tmp_path) as (_, node, wall):
        node.__class__ = Refusing
        spool = LocalSpool(node, SpoolLimits(), CollectedEvents(), wall, Ledger(1))
        kept = message()
        assert await spool.commit(Changes(puts=(kept,)), is_accepting=True) == Refused(refusal)
        assert spool.message(kept.queue_id) is None
        node.__class__ = Node


# --- what is due --------------------------------------------------------------------------------------------


async def test_what_is_due_comes_in_order_page_by_page(tmp_path: Path) -> None:
    messages = [message(due_ms=START_MS - 10 * number) for number in range(5)]
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, *messages, message(due_ms=START_MS + 1))
        first = spool.due(wall() + 1, 3)
        rest = spool.due(wall() + 1, 3, first[-1])
        assert [entry.queue_id for entry in first + rest] == [one.queue_id for one in reversed(messages)]
        assert all(entry.is_answered for entry in first + rest)
        await spool.act("delete", [first[-1].queue_id])
        assert spool.due(wall() + 1, 3, first[-1]) == rest


async def test_what_is_due_of_one_message_and_who_sent_it(tmp_path: Path) -> None:
    kept = message("b@y.test", "c@y.test", reverse_path="s@x.test")
    async with queue(tmp_path) as (spool, _, wall):
        assert (spool.due_of(kept.queue_id, wall()), spool.sender_of(kept.queue_id)) == ([], None)
        await keep(spool, kept)
        assert spool.sender_of(kept.queue_id) == ("s@x.test", 0)
        assert {(entry.recipient, entry.is_urged) for entry in spool.due_of(kept.queue_id, wall())} == {
            ("b@y.test", False),
            ("c@y.test", False),
        }
        states = {
            "b@y.test": RecipientState(Rank.DEFERRED, wall() + 60_000, (), 1),
            "c@y.test": RecipientState(Rank.DELIVERED, 0, (), 1),
        }
        await spool.commit(Changes(states={kept.queue_id: states}), is_accepting=False)
        assert spool.due_of(kept.queue_id, wall()) == []
        await spool.act("flush", [kept.queue_id])
        assert [(entry.recipient, entry.is_urged) for entry in spool.due_of(kept.queue_id, wall())] == [
            ("b@y.test", True)
        ]


async def test_what_has_changed_is_told_and_what_is_answered_once_more(tmp_path: Path) -> None:
    kept = message()
    async with queue(tmp_path) as (spool, _, _):
        told: list[tuple[str, ...]] = []
        spool.on_change(lambda queue_ids: told.append(tuple(queue_ids)))
        await keep(spool, kept)
        assert told == [(kept.queue_id,), (kept.queue_id,)]
        await spool.act("delete", [kept.queue_id])
        assert told[2:] == [(kept.queue_id,)]


async def test_what_a_client_waits_for_is_not_attempted_yet(tmp_path: Path) -> None:
    kept = message()
    async with queue(tmp_path) as (spool, node, wall):
        seen: list[bool] = []
        node.on_change(lambda _keys: seen.extend(entry.is_answered for entry in spool.due(wall() + 1, 10)))
        await keep(spool, kept)
        assert seen == [False]
        assert [entry.is_answered for entry in spool.due(wall() + 1, 10)] == [True]


# --- the operator -------------------------------------------------------------------------------------------


async def test_what_was_done_before_the_queue_could_keep_no_more_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtad.spool.local.PAGE_ITEMS", 2)
    kept = [message() for _ in range(5)]
    async with queue(tmp_path) as (spool, node, _):
        await keep(spool, *kept)

        class Filling(Node):
            async def submit(self, records: Sequence[Record], *, wait: bool) -> Submitted:
                if any(record.key == kept[3].queue_id.encode() for record in records):
                    return Submitted(Durability.REFUSED, "full")
                return await super().submit(records, wait=wait)

        node.__class__ = Filling
        acted = await spool.act("hold", [one.queue_id for one in kept])
        assert acted == Acted([one.queue_id for one in kept[:2]], Refusal.FULL)
        node.__class__ = Node


@pytest.mark.parametrize("rank", [Rank.QUEUED, Rank.DEFERRED])
async def test_what_is_being_tried_is_not_tried_again_by_flush_or_release(tmp_path: Path, rank: Rank) -> None:
    claim = Claim(1, START_MS, START_MS + 60_000)
    kept = replace(message(), recipients={"b@y.test": RecipientState(rank, claim.until_ms, (), 0, claim)})
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        for verb in ("flush", "hold", "release", "flush"):
            await spool.act(verb, [kept.queue_id])
            assert spool.due(START_MS + 59_999, 10) == []
        wall.forward(60)
        assert [entry.queue_id for entry in spool.due(wall() + 1, 10)] == [kept.queue_id]
        await spool.act("hold", [kept.queue_id])
        await spool.act("release", [kept.queue_id])
        assert [entry.due_ms for entry in spool.due(wall() + 1, 10)] == [DUE_AT_ONCE]


async def test_claims_of_what_is_gone_or_held_are_none(tmp_path: Path) -> None:
    kept, gone = message(), message()
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        await spool.act("hold", [kept.queue_id])
        claim = Claim(1, wall(), wall() + 60_000)
        await spool.claim({kept.queue_id: ["b@y.test"], gone.queue_id: ["b@y.test"]}, claim)
        await spool.give_back({kept.queue_id: ["b@y.test"], gone.queue_id: ["b@y.test"]}, 1)
        held = spool.message(kept.queue_id)
        assert held is not None
        assert held.recipients["b@y.test"] == RecipientState(due_ms=FAR_MS)


async def test_what_policy_holds_waits_for_its_release(tmp_path: Path) -> None:
    kept = replace(message("b@y.test", "c@y.test"), held="quarantine spam")
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        assert spool.due(FAR_MS - 1, 10) == []
        assert not spool.is_deliverable(kept.queue_id)
        stored = spool.message(kept.queue_id)
        assert stored is not None
        assert (stored.is_held, stored.hold_reason) == (True, "quarantine spam")
        assert (await spool.act("release", [kept.queue_id])).done == [kept.queue_id]
        assert {entry.recipient for entry in spool.due(wall() + 1, 10)} == {"b@y.test", "c@y.test"}
        assert spool.is_deliverable(kept.queue_id)


async def test_hold_takes_a_message_out_and_release_brings_it_back(tmp_path: Path) -> None:
    kept = message()
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        assert (await spool.act("hold", [kept.queue_id, new_queue_id()])).done == [kept.queue_id]
        assert spool.due(FAR_MS - 1, 10) == []
        assert not spool.is_deliverable(kept.queue_id)
        assert (await spool.act("flush", [kept.queue_id])).done == []
        assert (await spool.act("hold", [kept.queue_id])).done == [kept.queue_id]
        assert (await spool.act("release", [kept.queue_id])).done == [kept.queue_id]
        assert [entry.queue_id for entry in spool.due(wall() + 1, 10)] == [kept.queue_id]
        assert spool.is_deliverable(kept.queue_id)


async def test_delete_gives_up_what_is_left(tmp_path: Path) -> None:
    kept = [message("b@y.test", "c@y.test") for _ in range(300)]
    async with queue(tmp_path) as (spool, _, _):
        await keep(spool, *kept)
        assert len(list(spool.pages())) == 2
        assert (await spool.act("delete", [one.queue_id for one in kept])).done == [one.queue_id for one in kept]
        assert all_ids(spool) == []


async def test_flush_hastens_what_was_tried_and_leaves_a_first_attempt_alone(tmp_path: Path) -> None:
    kept = message("tried@y.test", "pending@y.test", due_ms=START_MS + 660_000)
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        state = {"tried@y.test": deferred(START_MS + 300_000)}
        await spool.commit(Changes(states={kept.queue_id: state}), is_accepting=False)
        assert (await spool.act("flush", [kept.queue_id])).done == [kept.queue_id]
        assert [entry.recipient for entry in spool.due(wall() + 1, 10)] == ["tried@y.test"]


async def test_flush_has_it_tried_where_policy_says_now(tmp_path: Path) -> None:
    attempts = (Attempt(START_MS, Outcome(Result.DELAYED, Reply.of(450, "4.2.1", "later"), "mx"), 1),)
    tried = RecipientState(Rank.DEFERRED, START_MS + 60_000, attempts, 1, delay_told_ms=START_MS, route=Route())
    kept = replace(message(), recipients={"b@y.test": tried, "c@y.test": replace(tried, route=None)})
    async with queue(tmp_path) as (spool, _, _):
        await keep(spool, kept)
        await spool.act("flush", [kept.queue_id])
        flushed = spool.message(kept.queue_id)
        assert flushed is not None
        assert flushed.recipients["b@y.test"] == replace(tried, due_ms=DUE_AT_ONCE, route=None)
        assert flushed.recipients["c@y.test"] == replace(tried, due_ms=DUE_AT_ONCE, route=None)


async def test_flush_hastens_what_policy_has_queued_for_later(tmp_path: Path) -> None:
    async with queue(tmp_path) as (spool, _, wall):
        kept = replace(message(), recipients={"later@y.test": RecipientState(Rank.DEFERRED, START_MS + 3_600_000)})
        await keep(spool, kept)
        assert spool.due(wall() + 1, 10) == []
        assert (await spool.act("flush", [kept.queue_id])).done == [kept.queue_id]
        assert [entry.recipient for entry in spool.due(wall() + 1, 10)] == ["later@y.test"]


async def test_a_flush_is_told_before_it_is_done_and_where_there_is_nothing_to_flush_too(tmp_path: Path) -> None:
    kept = message()
    told: list[int] = []
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        await spool.commit(
            Changes(states={kept.queue_id: {"b@y.test": deferred(START_MS + 300_000)}}), is_accepting=False
        )
        spool.on_flush(lambda: told.append(len(spool.due(wall() + 1, 10))))
        for verb in ("flush", "hold", "release", "flush"):
            await spool.act(verb, [kept.queue_id])
        await spool.act("flush", [])
        assert told == [0, 1, 1]


async def test_the_last_word_wins_over_a_clock_that_was_ahead(tmp_path: Path) -> None:
    kept = message()
    async with queue(tmp_path) as (spool, _, wall):
        wall.forward(3600)
        await keep(spool, kept)
        await spool.act("hold", [kept.queue_id])
        wall.forward(-3600)
        later = LocalSpool(spool._node, SpoolLimits(), CollectedEvents(), wall, Ledger(1))
        assert (await later.act("release", [kept.queue_id])).done == [kept.queue_id]
        assert later.is_deliverable(kept.queue_id)
        assert [entry.queue_id for entry in later.due(wall() + 1, 10)] == [kept.queue_id]


async def test_an_attempt_counts_more_than_a_flush_meanwhile(tmp_path: Path) -> None:
    kept = message()
    async with queue(tmp_path) as (spool, _, wall):
        await keep(spool, kept)
        await spool.commit(Changes(states={kept.queue_id: {"b@y.test": deferred(wall())}}), is_accepting=False)
        await spool.act("flush", [kept.queue_id])
        state = deferred(wall() + 900_000, attempts_count=2)
        await spool.commit(Changes(states={kept.queue_id: {"b@y.test": state}}), is_accepting=False)
        assert spool.due(wall() + 1, 10) == []


async def test_a_message_of_a_newer_program_hides_no_others(tmp_path: Path) -> None:
    events, wall = CollectedEvents(), WallClock()
    newer, plain = message(), message()
    async with spooling(tmp_path, wall, events) as (node, spool):
        meta = queue_pb2.Meta(format=META_FORMAT + 1, queue_id=newer.queue_id).SerializeToString()
        put = codec.put_record(newer, 1)
        await node.submit([Record(Kind.PUT, put.key, parts=put.parts, meta=meta, blob=b"x")], wait=True)
        await keep(spool, plain)
        assert all_ids(spool) == [plain.queue_id]
        assert [fields["queue_id"] for fields in events.named("queue.unreadable")] == [newer.queue_id]
        assert (await spool.act("delete", [newer.queue_id])).done == [newer.queue_id]
        assert node.item(newer.queue_id.encode()) is None
