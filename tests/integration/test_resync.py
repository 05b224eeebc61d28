"""A node's store filled again from its peer: what differs is fetched, or all of it, into an empty one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from replicator.core.compare import Difference
from replicator.core.events import Commit
from replicator.core.values import Branch, Dot, Durability, Kind, PartValue, Record
from replicator.node import Node
from replicator.store.environment import StoreSettings
from replicator.store.store import Store
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import until
from tests.integration.bench import Bench, ended, put, settled
from tests.integration.sending import QUEUE_ALL, queue_ids, send
from tests.peers.mtad import pair
from tests.peers.process import wait_until

BRANCH = Branch(9, 1)
COUNT = 50


@pytest_asyncio.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr("replicator.comparing.LOOK_SECONDS", 0.03)  # each difference that stays is looked at five times
    made = Bench(tmp_path)
    yield made
    for node in list(made.running):
        await made.end(node)


def key(number: int) -> bytes:
    return b"K%06d" % number


def fill(path: Path, node: int, *, lacks: tuple[int, ...] = (), further: tuple[int, ...] = ()) -> None:
    """Write a store whose position says that all items have come, while some are not there, or have another state."""
    store = Store(StoreSettings(path, node, 2, 64 << 20))
    records = []
    for number in range(COUNT):
        parts = ((b"part", PartValue(0, int(number in further), 1, 1, b"")),)
        whole = Record(Kind.PUT, key(number), parts=parts, meta=b"meta", blob=b"content %d" % number)
        records.append(Record(Kind.VOID, key(number)) if number in lacks else whole)
    store.change([Commit(1, records=tuple((Dot(BRANCH, at), record) for at, record in enumerate(records, 1)))])
    store.close()


async def apart(bench: Bench) -> tuple[Node, Node, CollectedReport]:
    """Return the owner and the other, which are level and hold not the same, and what the other reports."""
    b_has = {"lacks": (3,), "further": (20,)}
    a_has = {"lacks": (7, 8, 9), "further": (30,)}
    fill(bench.settings(0).store_path, 0, **a_has)
    fill(bench.settings(1).store_path, 1, **b_has)
    b, b_report = await bench.start(bench.settings(1))
    a, a_report = await bench.start(bench.settings(0))
    await bench.linked(a, b)
    owner, other = await settled(a, b)
    return owner, other, a_report if other is a else b_report


async def test_what_differs_is_fetched_and_nothing_goes(bench: Bench) -> None:
    owner, other, report = await apart(bench)
    before = await other.verify()
    assert len(before.differences) == 6
    came = await other.resync(is_full=False, force=False)
    theirs = {Difference(each, "only here") for each in map(key, (3, 7, 8, 9)) if owner.item(each) is None}
    assert (came.refused, came.compared.why) == ("", "")
    assert theirs <= set(came.compared.differences)
    assert came.fetched_count == 6 - len(came.compared.differences)
    for number in range(COUNT):
        if owner.item(key(number)) is not None:
            assert await other.blob(key(number)) == b"content %d" % number
    assert not report.named("replica.lost")
    assert other.status().totals.damaged == 0
    again = await owner.resync(is_full=False, force=True)
    assert again.compared.differences == ()
    assert owner.status().totals.items == other.status().totals.items == COUNT


async def test_the_owner_is_not_filled_from_the_node_that_follows_it(bench: Bench) -> None:
    owner, _ = await settled(*await bench.pair())
    refused = await owner.resync(is_full=False, force=False)
    assert "give the order to its peer" in refused.refused
    assert "go out again" in refused.risk
    refused = await owner.resync(is_full=True, force=True)
    assert "hand the queue over first" in refused.refused
    assert owner.is_owner
    assert not list(owner._settings.store_path.glob("aside-*"))


async def test_an_empty_store_is_filled_while_mail_flows(bench: Bench) -> None:
    a, b = await bench.pair()
    owner, other = await settled(a, b)
    for number in range(COUNT):
        await owner.submit([put(key(number), b"content %d" % number)], wait=True)
    taken: list[bytes] = []

    async def flow() -> None:
        while True:
            name = b"L%06d" % len(taken)
            assert (await owner.submit([put(name)], wait=True)).durability is not Durability.REFUSED
            taken.append(name)

    flowing = asyncio.create_task(flow())
    came = await other.resync(is_full=True, force=False)
    assert (came.refused, came.risk) == ("", "")
    aside = Path(came.set_aside)
    assert aside.parent == other._settings.store_path
    await bench.linked(a, b)
    await until(lambda: other.status().totals.items >= COUNT)
    flowing.cancel()
    await owner.submit(ended(owner, key(0)), wait=False)
    await bench.linked(a, b)
    await until(lambda: other.item(key(0)) is None)
    assert owner.is_owner
    compared = await other.verify()
    assert (compared.why, compared.differences, compared.items) == ("", (), owner.status().totals.items)
    assert compared.items >= COUNT - 1 + len(taken)
    old = Store(StoreSettings(aside, other._settings.node, 2))
    assert len(old.items(b"", 1_000)) >= COUNT
    old.close()


async def test_what_the_peer_lacks_is_not_set_aside(bench: Bench) -> None:
    owner, other, _ = await apart(bench)
    refused = await other.resync(is_full=True, force=False)
    assert "only here" in refused.refused
    assert refused.risk
    assert other.status().totals.items in (COUNT - 1, COUNT - 3)
    await bench.end(owner)
    await until(lambda: other.status().peer.state != "up")
    refused = await other.resync(is_full=True, force=False)
    assert refused.refused
    assert not refused.set_aside


async def test_a_forced_order_says_what_it_may_have_cost(bench: Bench) -> None:
    owner, other, report = await apart(bench)
    done = await other.resync(is_full=True, force=True)
    assert done.refused == ""
    assert "only here" in done.risk
    assert report.named("replica.set_aside")
    await until(lambda: other.status().totals.items == owner.status().totals.items)
    await bench.linked(owner, other)
    assert (await other.verify()).differences == ()


def test_a_node_that_is_killed_after_the_order_is_filled_and_the_old_queue_may_be_put_back(tmp_path: Path) -> None:
    with pair(QUEUE_ALL) as (one, two):
        for _ in range(5):
            assert send(one)[0] == 250
        assert "Refused: this node is active" in one.mtactl("replica", "resync", "--full", expect=1)
        assert "same 5 messages" in two.mtactl("replica", "resync")
        told = two.mtactl("replica", "resync", "--full")
        two.kill()
        (aside,) = (two.store / "queue").glob("aside-*")
        assert str(aside) in told
        assert (aside / "data.mdb").exists()
        two.start()
        wait_until(two.is_protected, "both nodes are level", two.log)
        assert "the same 5 messages" in two.mtactl("replica", "verify")
        assert sorted(queue_ids(two)) == sorted(queue_ids(one))
        assert one.has_role("active")
        assert send(one)[0] == 250
        two.stop()
        (two.store / "queue" / "data.mdb").rename(two.store / "queue" / "data.mdb-unfinished")
        (aside / "data.mdb").rename(two.store / "queue" / "data.mdb")
        two.start()
        wait_until(two.is_protected, "both nodes are level", two.log)
        assert "the same 6 messages" in two.mtactl("replica", "verify")
