"""Bits that flip on a disk while a node is down: found, named, healed from the peer; the rest is served."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from replicator.core.values import Durability, Kind, PartValue, Record
from replicator.node import Node
from replicator.settings import NO_PEER, NodeSettings
from tests.fakes.waiting import until
from tests.integration.bench import Bench, ended, promote, put

ITEMS = 20
MARK = b"the content of number %03d, and of no other"


def key(number: int) -> bytes:
    return b"K%03d" % number


def content(number: int) -> bytes:
    return (MARK % number) * 50


def scrubbed(settings: NodeSettings) -> NodeSettings:
    return replace(settings, scrub_octets_per_second=64 << 20)


def flip_octets(settings: NodeSettings, wanted: bytes) -> int:
    """Flip a bit in every place of the file where these octets are; return how many there were."""
    path = settings.store_path / "data.mdb"
    octets = bytearray(path.read_bytes())
    at, count = octets.find(wanted), 0
    while at >= 0:
        octets[at + len(wanted) // 2] ^= 0x04
        count += 1
        at = octets.find(wanted, at + 1)
    path.write_bytes(octets)
    return count


async def with_damage(bench: Bench, wanted: bytes) -> tuple[Node, Node]:
    """Fill a pair, stop it, and flip octets on the disk of the first."""
    a, b = await bench.pair()
    for number in range(ITEMS):
        record = put(key(number), content(number))._replace(meta=b"meta of %03d" % number)
        assert (await a.submit([record], wait=True)).durability is Durability.REMOTE
    await bench.end(a)
    assert flip_octets(bench.settings(0), wanted) > 0
    return a, b


@pytest.mark.parametrize("wanted", [MARK % 7, b"meta of 007"])
async def test_what_was_damaged_is_healed_from_the_peer(bench: Bench, wanted: bytes) -> None:
    _, b = await with_damage(bench, wanted)
    a, report = await bench.start(scrubbed(bench.settings(0)))
    assert (await report.wait_for("replica.damaged"))["key"] == "K007"
    assert (await report.wait_for("replica.healed"))["key"] == "K007"
    await until(lambda: a.status().totals.damaged == 0)
    for number in range(ITEMS):
        assert a.item(key(number)) == b.item(key(number))
        assert await a.blob(key(number)) == content(number)
    assert [entry.key for entry in a.due(1 << 40)] == [entry.key for entry in b.due(1 << 40)]
    assert not report.named("replica.lost")
    assert not report.named("replica.started_again")


async def test_without_a_peer_it_is_named_and_the_rest_is_served(bench: Bench) -> None:
    await with_damage(bench, MARK % 7)
    for node in list(bench.running):
        await bench.end(node)
    a, report = await bench.start(scrubbed(replace(bench.settings(0), peer_node=NO_PEER)))
    assert await report.wait_for("replica.damaged") == {"key": "K007", "table": "blob"}
    await until(lambda: a.is_owner)
    others = [number for number in range(ITEMS) if number != 7]
    assert [item.key for item in a.items()] == [key(number) for number in others]
    assert [await a.blob(key(number)) for number in others] == [content(number) for number in others]
    assert (a.item(key(7)), await a.blob(key(7))) == (None, None)
    assert (await a.submit([put(b"new")], wait=True)).durability is Durability.LOCAL


async def test_a_change_that_meets_damage_neither_fails_nor_is_forgotten(bench: Bench) -> None:
    _, b = await with_damage(bench, b"meta of 007")
    settings = replace(bench.settings(0), scrub_octets_per_second=0)
    held = b.item(key(7))
    assert held is not None
    said = Record(Kind.PART, key(7), held.put, ((b"part", PartValue(1, 1, 9, 500, b"said")),))
    await b.submit([said], wait=False)
    a, report = await bench.start(settings)
    assert (await report.wait_for("replica.healed"))["key"] == "K007"
    await until(lambda: a.item(key(7)) == b.item(key(7)))
    item = a.item(key(7))
    assert item is not None
    assert item.parts[b"part"].rank == 1
    assert not report.named("replica.started_again")
    assert not report.named("replica.commit_failed")


async def test_what_ended_meanwhile_does_not_come_back(bench: Bench) -> None:
    _, b = await with_damage(bench, b"meta of 007")
    await promote(b)
    await b.submit(ended(b, key(7)), wait=False)
    a, report = await bench.start(scrubbed(bench.settings(0)))
    await until(lambda: a.status().totals.damaged == 0 and a.status().totals.items == ITEMS - 1)
    await asyncio.sleep(0.2)
    assert a.item(key(7)) is None
    assert a.status().totals.items == ITEMS - 1
    assert not report.named("replica.lost")
