"""Two members compared: equal while mail flows, every difference named, little said about much that is equal."""

from __future__ import annotations

import asyncio
from pathlib import Path

from replicator.core.compare import Difference
from replicator.core.events import Commit
from replicator.core.values import Branch, Dot, Kind, PartValue, Record
from replicator.node import Node
from replicator.settings import NO_PEER
from replicator.store.environment import StoreSettings
from replicator.store.store import Store
from tests.integration.bench import Bench, put

BRANCH = Branch(9, 1)


def fill(path: Path, node: int, count: int, *, changed: frozenset[int] = frozenset()) -> None:
    """Write a store of so many items, of which some have another state: as if both had them from a third."""
    store = Store(StoreSettings(path, node, 2, 64 << 20))
    for begin in range(0, count, 5_000):
        numbers = range(begin, min(begin + 5_000, count))
        store.change([Commit(1, records=tuple((Dot(BRANCH, n + 1), item(n, n in changed)) for n in numbers))])
    store.close()


def item(number: int, is_changed: bool) -> Record:
    parts = ((b"someone@example.net", PartValue(0, int(is_changed), 1, 1, b"")),)
    return Record(Kind.PUT, b"01JD4Z8Q6K%06d" % number, parts=parts, meta=b"m" * 60, blob=b"")


async def pair_of(bench: Bench, count: int, changed: frozenset[int] = frozenset()) -> tuple[Node, Node]:
    fill(bench.settings(0).store_path, 0, count)
    fill(bench.settings(1).store_path, 1, count, changed=changed)
    return await bench.pair()


async def test_what_is_equal_is_said_in_little(bench: Bench) -> None:
    a, b = await pair_of(bench, 20_000)
    for node in (a, b):
        compared = await node.verify()
        assert (compared.why, compared.items, compared.differences) == ("", 20_000, ())
        print(f"{compared.items} equal items: {compared.octets} octets")
        assert compared.octets * 100_000 / compared.items < 100_000


async def test_differences_are_named(bench: Bench) -> None:
    wrong = frozenset(range(500, 20_000, 2_000))
    a, _ = await pair_of(bench, 20_000, wrong)
    compared = await a.verify()
    assert compared.differences == tuple(Difference(item(n, False).key, "state") for n in sorted(wrong))
    assert not compared.is_cut_short
    print(f"{len(wrong)} differences in {compared.items} items: {compared.octets} octets")
    assert compared.octets < 2_000_000


async def test_many_differences_are_cut_short(bench: Bench) -> None:
    a, _ = await pair_of(bench, 3_000, frozenset(range(3_000)))
    compared = await a.verify()
    assert len(compared.differences) == 1_000
    assert compared.is_cut_short


async def test_it_compares_while_mail_flows(bench: Bench) -> None:
    a, b = await pair_of(bench, 5_000)
    taken = 0

    async def flow(node: Node, name: bytes) -> None:
        nonlocal taken
        while True:
            await node.submit([put(b"%s%06d" % (name, taken))], wait=True)
            taken += 1

    flows = [asyncio.create_task(flow(a, b"0")), asyncio.create_task(flow(b, b"9"))]
    while taken < 50:
        await asyncio.sleep(0.01)
    before = taken
    compared = await a.verify()
    assert taken > before
    for task in flows:
        task.cancel()
    assert (compared.why, compared.differences) == ("", ())
    assert compared.items > 5_000


async def test_without_a_link_it_says_so(bench: Bench) -> None:
    a, b = await bench.pair()
    await bench.end(b)
    assert (await a.verify()).why
    await bench.end(a)


async def test_a_node_without_a_peer_says_so(bench: Bench) -> None:
    from dataclasses import replace

    node, _ = await bench.start(replace(bench.settings(0), peer_node=NO_PEER))
    assert (await node.verify()).why == "this node has no peer to compare with"
