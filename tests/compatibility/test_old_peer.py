"""A node of today and a member of version 1, over a real link: each understands all that the other says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from replicator.core.values import AckLevel, Branch, Kind, Record
from replicator.node import Node
from replicator.settings import NodeSettings
from replicator.store import layout
from tests.compatibility.v1.peer import ACTIVE, PASSIVE, PUT, OldPeer, item, position, record, schema
from tests.fakes.waiting import until
from tests.integration.bench import NAMES, REMOTE, Bench, damage, ended, promote, put

ITEMS = 30
PART, FLAGS, DONE, ABORT, VOID = 2, 3, 4, 5, 6
HELD, AWAY = 1, 3
WAITS = [schema.Part(id=b"part", rank=0, hlc=1, due=100)]
ENDS = [schema.Part(id=b"part", rank=3, attempts=1, hlc=2)]


def old_member(bench: Bench, number: int = 1) -> OldPeer:
    return OldPeer(number, NAMES[number], bench.authority.issue(NAMES[number]))


def towards(bench: Bench, old: OldPeer, **more: Any) -> NodeSettings:
    """Return the settings of node 0, which dials the old member."""
    return replace(bench.settings(0), peer_address=f"127.0.0.1:{old.port}", **more)


async def owner(bench: Bench, old: OldPeer, **more: Any) -> Node:
    """Return today's node, owning, with the old member as its standby."""
    node, _ = await bench.start(towards(bench, old, **more))
    await promote(node)
    await until(lambda: node.status().protection == "protected")
    return node


async def standby(bench: Bench, old: OldPeer) -> Node:
    """Return today's node, standing by for the old member, which owns."""
    old.role, old.epoch = ACTIVE, (5, old.node)
    node, _ = await bench.start(towards(bench, old))
    await until(lambda: node.status().peer.role == "active" and node.status().protection == "protected")
    return node


# --- records ------------------------------------------------------------------------------------------------


async def test_the_old_one_confirms_what_is_accepted_here(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old)
        (hello,) = await old.wait("hello")
        assert (hello.version_min, hello.version_max) == (1, 2)
        assert await node.submit([put(b"k", b"octets")], wait=True) == REMOTE
        part, done = ended(node, b"k")
        assert await node.submit([part, done], wait=True) == REMOTE
        assert [(each.kind, each.key) for each in old.records()] == [(PUT, b"k"), (PART, b"k"), (DONE, b"k")]
        came = old.records()[0]
        assert (came.blob, came.meta, came.parts[0].id) == (b"octets", b"meta", b"part")
        assert not old.fault


async def test_one_that_does_not_say_what_it_received_is_waited_for_until_its_disk_has_it(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old, level=AckLevel.REMOTE_RECEIVED)
        assert await node.submit([put(b"k")], wait=True) == REMOTE


async def test_what_the_old_one_writes_is_taken_and_confirmed(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await standby(bench, old)
        own = position(1, old.incarnation, 1)
        old.say_records(1, record(PUT, b"k", parts=WAITS, meta=b"meta", blob=b"octets"), record(PUT, b"x", parts=WAITS))
        old.say_records(3, record(FLAGS, b"k", put=own, flags=schema.Flags(hlc=9, data=b"held")))
        old.say_records(4, record(ABORT, b"x", put=position(1, old.incarnation, 2)), record(VOID, b"y"))
        await until(lambda: (held := node.item(b"k")) is not None and held.flags.data == b"held")
        await until(lambda: node.item(b"x") is None)
        assert await node.blob(b"k") == b"octets"
        old.say_records(6, record(PART, b"k", put=own, parts=ENDS), record(DONE, b"k", put=own))
        await until(lambda: node.item(b"k") is None)

        def confirmed() -> int:
            said = [each for ack in old.said("ack") for each in ack.durable.positions]
            return max((each.seq for each in said if each.branch == own.branch), default=0)

        await until(lambda: confirmed() == 7)


async def test_a_large_item_goes_in_pieces_both_ways(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old)
        assert await node.submit([put(b"k", b"x" * 3_000_000)], wait=True) == REMOTE
        assert old.records()[-1].blob == b"x" * 3_000_000
        old.say_records(1, record(PUT, b"l", parts=WAITS, blob=b"y" * 900_000))
        await until(lambda: node.item(b"l") is not None)


async def test_the_old_one_may_be_the_one_that_dials(bench: Bench) -> None:
    node, _ = await bench.start(bench.settings(1))
    async with old_member(bench, 0).dialling(node.listen_port, NAMES[1]) as old:
        await promote(node)
        await until(lambda: node.status().protection == "protected")
        assert await node.submit([put(b"k")], wait=True) == REMOTE
        old.say_records(1, record(PUT, b"l", parts=WAITS))
        await until(lambda: node.item(b"l") is not None)


# --- snapshots ----------------------------------------------------------------------------------------------


async def test_the_old_one_gets_a_snapshot_that_it_can_read(bench: Bench) -> None:
    old = old_member(bench)
    async with old.listening():
        node = await owner(bench, old)
        await bench.end(node)
    old.vector.clear()
    node, _ = await bench.start(towards(bench, old, log_octets_max=1))
    await promote(node)
    for number in range(ITEMS):
        await node.submit([put(b"k%03d" % number, b"octets")], wait=False)
    await bench.end(node)
    async with old.listening():
        node = await owner(bench, old, log_octets_max=1)
        (begin,) = await old.wait("snapshot_begin")
        await old.wait("snapshot_end")
        items = old.said("snapshot_item")
        assert [each.key for each in items] == [b"k%03d" % number for number in range(ITEMS)]
        assert all((each.kind, each.has_blob, each.blob) == (PUT, True, b"octets") for each in items)
        assert sum(each.seq for each in begin.vector.positions) >= ITEMS
        assert await node.submit([put(b"after")], wait=True) == REMOTE


async def test_a_snapshot_of_the_old_one_is_merged(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old)
        for key in (b"kept", b"finished there"):
            assert await node.submit([put(key)], wait=True) == REMOTE
        kept = node.item(b"kept")
        assert kept is not None
        there = position(1, 77, 4)
        mine = position(kept.put.branch.node, kept.put.branch.incarnation, kept.put.seq)
        positions = [position(1, 77, 9), position(*kept.put.branch, 2)]
        old.say(snapshot_begin=schema.SnapshotBegin(vector=schema.Vector(positions=positions)))
        old.say(snapshot_item=item(PUT, b"new", put=there, parts=WAITS, meta=b"m", blob=b"octets", has_blob=True))
        old.say(snapshot_item=item(PUT, b"kept", put=mine, parts=ENDS, meta=b"meta"))
        old.say(snapshot_item=item(DONE, b"gone", put=position(1, 78, 1)))
        old.say(snapshot_item=item(PART, b"early", put=position(1, 78, 2), parts=ENDS))
        old.say(snapshot_end=schema.SnapshotEnd(items=4))
        await until(lambda: node.item(b"finished there") is None and node.item(b"new") is not None)
        assert await node.blob(b"new") == b"octets"
        raised = node.item(b"kept")
        assert raised is None or raised.parts[b"part"].rank == 3
        await until(lambda: node.status().position.get(kept.put.branch._replace(node=1, incarnation=77)) == 9)


# --- authority ----------------------------------------------------------------------------------------------


async def test_the_old_one_hands_over_to_us(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await standby(bench, old)
        old.role = PASSIVE
        old.say(handover=schema.Handover(epoch=5, node=1))
        await until(lambda: node.is_owner)
        assert node.status().epoch == 6


async def test_we_hand_over_to_the_old_one(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old)
        assert await node.submit([put(b"k")], wait=True) == REMOTE
        switching = asyncio.create_task(node.command("switchover"))
        (handover,) = await old.wait("handover")
        old.role, old.epoch = ACTIVE, (handover.epoch + 1, 1)
        told = await switching
        assert told.is_done, told
        assert not node.is_owner
        assert node.status().peer.role == "active"


async def test_we_take_over_from_the_old_one_when_it_falls_silent(bench: Bench) -> None:
    bench.hurry()
    old = old_member(bench)
    old.role, old.epoch = ACTIVE, (5, 1)
    async with old.listening():
        node, _ = await bench.start(towards(bench, old))
        await until(lambda: node.status().peer.role == "active")
        assert not node.is_owner
    await until(lambda: node.is_owner)
    assert node.status().epoch == 6


# --- damage and comparison ----------------------------------------------------------------------------------


async def test_the_old_one_fetches_what_its_disk_has_damaged(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old)
        assert await node.submit([put(b"k", b"octets")], wait=True) == REMOTE
        old.say(fetch=schema.Fetch(key=b"k"))
        (fetched,) = await old.wait("fetched")
        assert (fetched.key, fetched.presence, fetched.item.blob) == (b"k", HELD, b"octets")
        old.say(fetch=schema.Fetch(key=b"nowhere"))
        assert [each.presence for each in await old.wait("fetched", 2)] == [HELD, 2]


async def test_what_our_disk_has_damaged_comes_from_the_old_one(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old)
        assert await node.submit([put(b"k", b"octets")], wait=True) == REMOTE
        held = node.item(b"k")
        assert held is not None
        await bench.end(node)
        damage(bench.settings(0).store_path, "blob", layout.piece_key(b"k", 0))
        node, report = await bench.start(towards(bench, old))
        assert await node.blob(b"k") is None
        (fetch,) = await old.wait("fetch")
        assert fetch.key == b"k"
        own = position(held.put.branch.node, held.put.branch.incarnation, held.put.seq)
        sound = item(PUT, b"k", put=own, parts=WAITS, meta=b"meta", blob=b"octets", has_blob=True)
        old.say(fetched=schema.Fetched(key=b"k", presence=HELD, item=sound))
        await report.wait_for("replica.healed")
        await until(lambda: node.item(b"k") is not None)
        assert await node.blob(b"k") == b"octets"


async def test_both_compare_with_each_other(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await owner(bench, old)
        assert await node.submit([put(b"k")], wait=True) == REMOTE
        old.say(compare=schema.Compare(number=4, keys=[b"k", b"nowhere"]))
        (compared,) = await old.wait("compared")
        assert (compared.number, [each.key for each in compared.states]) == (4, [b"k"])
        verifying = asyncio.create_task(node.verify())
        (compare,) = await old.wait("compare")
        assert sum(each.count for each in compare.ranges) == 1
        old.say(compared=schema.Compared(number=compare.number))
        comparison = await verifying
        assert (comparison.items, comparison.differences, comparison.why) == (1, (), "")


# --- what an old one does not know --------------------------------------------------------------------------


async def test_a_member_that_knows_later_versions_alone_is_told_so(bench: Bench) -> None:
    old = old_member(bench)
    async with old.listening():
        old._say_hello = lambda: old.say(hello=schema.Hello(group="test", node=1, version_min=3, version_max=4, role=1))  # type: ignore[method-assign]
        node, _ = await bench.start(towards(bench, old))
        (bye,) = await old.wait("bye")
        assert bye.why == "version: expected 1 to 2, came 3 to 4"
        await until(lambda: node.status().peer.problem == bye.why)


async def test_a_record_that_need_not_be_understood_is_kept_and_passed_on(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node = await standby(bench, old)
        later = record(64, b"k", put=position(1, old.incarnation, 1), meta=b"of a later version", blob=b"octets")
        old.say_records(1, record(PUT, b"k", parts=WAITS), later, record(PUT, b"l", parts=WAITS))
        branch = Branch(1, old.incarnation)
        await until(lambda: node.status().position.get(branch) == 3)
        kept = node._store.read_log(branch, 2, 1 << 20).records
        assert kept is not None
        assert kept[0] == Record(64, b"k", kept[0].put, meta=b"of a later version", blob=b"octets")
        assert kept[1].kind is Kind.PUT


async def test_a_record_that_has_to_be_understood_keeps_this_node_from_owning(bench: Bench) -> None:
    async with old_member(bench).listening() as old:
        node, report = await bench.start(towards(bench, old))
        await promote(node)
        await until(lambda: node.status().protection == "protected")
        old.say_records(1, record(PUT, b"k", parts=WAITS), record(63, b"k"), record(PUT, b"l", parts=WAITS))
        assert (await report.wait_for("replica.not_understood"))["kind"] == 63
        await until(lambda: not node.is_owner and node.item(b"k") is not None)
        await until(lambda: node.status().is_unfit)
        assert node.item(b"l") is None
