"""Two members over loopback TLS, each with its own disk: what is answered for is where it was promised to be."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import lmdb
import pytest

from replicator.codec import DamagedError
from replicator.core.values import AckLevel, Durability, Role
from replicator.node import Node
from replicator.settings import NO_PEER
from replicator.status import Submitted
from replicator.store import layout
from replicator.store.environment import StoreFormatError
from replicator.store.writer import Written
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import WAIT_SECONDS, until
from tests.integration.bench import (
    AWAY_SECONDS,
    LOCAL,
    MEBI,
    NOT_ALONE,
    REMOTE,
    Bench,
    damage,
    ended,
    put,
    settled,
)

# --- two disks ----------------------------------------------------------------------------------------------


async def test_an_answer_means_both_disks(bench: Bench) -> None:
    a, b = await bench.pair()
    for near, far, name in ((a, b, b"from-a"), (b, a, b"from-b")):
        assert await near.submit([put(name, name * 100)], wait=True) == REMOTE
        assert await far.blob(name) == name * 100
        assert far.item(name) == near.item(name)
    assert a.status().position == b.status().position


async def test_many_at_once_all_arrive(bench: Bench) -> None:
    a, b = await bench.pair()
    answers = await asyncio.gather(*(a.submit([put(b"k%03d" % n, b"x" * 4_000)], wait=True) for n in range(300)))
    assert set(answers) == {REMOTE}
    assert [item.key for item in b.items(limit=1_000)] == [b"k%03d" % n for n in range(300)]
    assert a.status().totals == b.status().totals


async def test_a_large_blob_crosses(bench: Bench) -> None:
    a, b = await bench.pair(ack_within_seconds=10.0)
    blob = hashlib.sha256(b"seed").digest() * (5 * MEBI // 32)
    assert await a.submit([put(b"large", blob)], wait=True) == REMOTE
    assert await b.blob(b"large") == blob


async def test_an_ending_leaves_both(bench: Bench) -> None:
    a, b = await bench.pair()
    changed: list[bytes] = []
    b.on_change(changed.extend)
    await a.submit([put(b"k")], wait=True)
    assert b.due(101) == a.due(101) != []
    await a.submit(ended(a, b"k"), wait=False)
    await until(lambda: b.item(b"k") is None)
    assert a.item(b"k") is None
    assert (a.due(101), b.due(101)) == ([], [])
    assert set(changed) == {b"k"}


# --- the peer is away ---------------------------------------------------------------------------------------


async def test_a_peer_that_is_away_costs_one_wait(bench: Bench) -> None:
    bench.hurry()
    a, b = await bench.pair()
    await bench.end(b)
    assert await a.submit([put(b"first")], wait=True) == LOCAL
    assert a.status().protection == "degraded"
    loop = asyncio.get_running_loop()
    begin, further = loop.time(), 20
    for number in range(further):
        assert await a.submit([put(b"%d" % number)], wait=True) == LOCAL
    assert loop.time() - begin < further * AWAY_SECONDS, "the peer is known to be away: nothing waits for it"
    status = a.status()
    assert (status.protection, status.durability, status.unprotected) == ("degraded", 1, 1 + further)
    assert status.peer.state in ("down", "connecting")
    assert status.peer.problem


async def test_a_peer_that_is_away_refuses_when_the_policy_says_so(bench: Bench) -> None:
    bench.hurry()
    a, _ = await bench.start(replace(bench.settings(0), accept_alone=False, peer_address="127.0.0.1:1"))
    assert await a.submit([put(b"k")], wait=True) == Submitted(Durability.REFUSED, "peer")
    await until(lambda: a.item(b"k") is None)


@pytest.mark.parametrize("level", [AckLevel.REMOTE_RECEIVED, AckLevel.LOCAL])
async def test_a_lower_level_says_what_was_reached_and_ships_all_the_same(bench: Bench, level: AckLevel) -> None:
    a, b = await bench.pair(level=level)
    reached = [(await a.submit([put(b"%d" % number)], wait=True)).durability for number in range(20)]
    assert Durability.REFUSED not in reached
    assert set(reached) <= ({Durability.LOCAL, Durability.REMOTE} if level is AckLevel.LOCAL else set(NOT_ALONE))
    await until(lambda: b.item(b"19") is not None and a.status().unprotected == 0)
    status = a.status()
    assert (status.protection, status.durability, status.level) == ("protected", 1, level.value)


async def test_it_catches_up_by_log(bench: Bench) -> None:
    a, b = await bench.pair()
    await a.submit([put(b"before")], wait=True)
    await bench.end(b)
    for number in range(20):
        await a.submit([put(b"k%d" % number)], wait=False)
    await a.submit(ended(a, b"before"), wait=False)
    b, report = await bench.start(bench.settings(1))
    await bench.linked(a, b)
    await until(lambda: a.status().position == b.status().position)
    assert [item.key for item in b.items()] == [item.key for item in a.items()]
    assert b.item(b"before") is None
    await until(lambda: a.status().unprotected == 0)
    assert await a.submit([put(b"after")], wait=True) == REMOTE
    assert not report.named("replica.snapshot_merged")


@pytest.mark.parametrize("is_wiped", [True, False])
async def test_it_catches_up_by_snapshot(bench: Bench, is_wiped: bool) -> None:
    bench.hurry()  # a disk that is new is believed in when the one before was silent for as long
    b_settings = bench.settings(1)
    b, _ = await bench.start(b_settings)
    a, _ = await bench.start(replace(bench.settings(0), log_octets_max=16 << 10))
    await bench.linked(a, b)
    await a.submit([put(b"gone"), put(b"kept")], wait=True)
    await bench.end(b)
    if is_wiped:
        shutil.rmtree(b_settings.store_path)
    for number in range(400):
        await a.submit([put(b"k%03d" % number, b"x" * 5_000)], wait=False)
    await a.submit(ended(a, b"gone"), wait=False)
    own = next(branch for branch in a.status().position if branch.node == 0)
    assert a._store.read_log(own, 1, 1_000).records is None, "the log was to be cut"
    await bench.end(a)  # what it keeps in memory for sending would do without the log
    a, _ = await bench.start(replace(bench.settings(0), log_octets_max=16 << 10))
    b, report = await bench.start(bench.settings(1))
    await bench.linked(a, b)
    await until(lambda: a.status().position == b.status().position)
    assert [item.key for item in b.items(limit=1_000)] == [item.key for item in a.items(limit=1_000)]
    assert b.item(b"gone") is None
    assert await b.blob(b"k007") == b"x" * 5_000
    assert await b.blob(b"kept") == b"blob"
    assert report.named("replica.snapshot_merged")


# --- who may deliver ----------------------------------------------------------------------------------------


async def test_the_passive_takes_over(bench: Bench) -> None:
    bench.hurry()
    owner, other = await settled(*await bench.pair())
    roles: list[Role] = []
    other.on_role(lambda role, _epoch, _why: roles.append(role))
    await owner.submit([put(b"pending")], wait=True)
    epoch = owner.status().epoch
    await bench.end(owner)
    assert not owner.is_owner
    await until(lambda: other.is_owner)
    assert roles[-1] is Role.ACTIVE
    assert other.status().epoch > epoch
    assert [entry.key for entry in other.due(101)] == [b"pending"]
    assert await other.submit([put(b"alone")], wait=True) == LOCAL


async def test_the_owner_hands_over_when_told(bench: Bench) -> None:
    a, b = await bench.pair()
    owner, other = await settled(a, b)
    drained: list[bool] = []

    async def drain() -> None:
        drained.append(owner.is_owner)

    owner.on_drain(drain)
    told = await owner.command("switchover")
    assert told.is_done, told.text
    await until(lambda: other.is_owner and not owner.is_owner)
    assert drained == [False], "while it drains the owner starts nothing"


async def test_a_drain_that_fails_leaves_the_owner_in_place(bench: Bench) -> None:
    a, b = await bench.pair(drain_seconds_max=0.5)
    owner, _ = await settled(a, b)

    async def drain() -> None:
        raise RuntimeError("no")

    owner.on_drain(drain)
    told = await owner.command("switchover")
    assert not told.is_done
    await until(lambda: owner.is_owner)


async def test_one_alone_owns_its_queue(bench: Bench) -> None:
    node, _ = await bench.start(replace(bench.settings(0), peer_node=NO_PEER, peer_name="", peer_address=""))
    await until(lambda: node.is_owner)
    assert await node.submit([put(b"k")], wait=True) == LOCAL
    status = node.status()
    assert (status.peer.state, status.durability) == ("none", 1)


# --- certificates -------------------------------------------------------------------------------------------


async def test_a_certificate_of_another_name_is_told_on_both_sides(bench: Bench) -> None:
    bench.hurry()
    b, b_report = await bench.start(bench.settings(1, bench.authority.issue("c.test")))
    a, a_report = await bench.start(bench.settings(0))
    for node, report in ((a, a_report), (b, b_report)):
        refused = await report.wait_for("replica.link_refused")
        assert (refused["expected"], refused["came"]) == ("b.test", "c.test")
        await until(lambda node=node: "expected b.test, came c.test" in node.status().peer.problem)
    assert await a.submit([put(b"k")], wait=True) == LOCAL
    assert b.item(b"k") is None


async def test_a_dialler_of_another_name_is_told_on_both_sides(bench: Bench) -> None:
    _, b_report = await bench.start(bench.settings(1))
    _, a_report = await bench.start(bench.settings(0, bench.authority.issue("d.test")))
    for report in (a_report, b_report):
        refused = await report.wait_for("replica.link_refused")
        assert (refused["expected"], refused["came"]) == ("a.test", "d.test")


async def test_a_member_of_another_group_is_refused(bench: Bench) -> None:
    b, _ = await bench.start(bench.settings(1))
    a, _ = await bench.start(replace(bench.settings(0), group="other"))
    await until(lambda: a.status().peer.state == "refused")
    assert "group" in a.status().peer.problem
    assert b.status().protection != "protected"


# --- disks that refuse --------------------------------------------------------------------------------------


async def test_a_newer_store_is_refused_untouched(bench: Bench) -> None:
    settings = replace(bench.settings(0), peer_node=NO_PEER)
    node, _ = await bench.start(settings)
    await bench.end(node)
    env = lmdb.open(str(settings.store_path), max_dbs=16)
    table = env.open_db(b"meta")
    with env.begin(write=True) as transaction:
        transaction.put(b"format", layout.seal(b"format", layout.number(layout.FORMAT + 1)), db=table)
    env.close()
    before = (settings.store_path / "data.mdb").read_bytes()
    with pytest.raises(StoreFormatError, match="format 2"):
        await bench.start(settings)
    assert (settings.store_path / "data.mdb").read_bytes() == before


async def test_a_full_store_refuses_and_takes_again(bench: Bench) -> None:
    settings = replace(bench.settings(0), peer_node=NO_PEER, map_octets_max=8 * MEBI)
    node, _ = await bench.start(settings)
    await until(lambda: node.is_owner)
    held: list[bytes] = []
    while True:
        key = b"k%04d" % len(held)
        answer = await node.submit([put(key, b"x" * 200_000)], wait=True)
        if answer.durability is Durability.REFUSED:
            break
        held.append(key)
    assert answer.why == "full"
    assert len(held) > 20
    for key in held:
        assert await node.submit(ended(node, key), wait=False) == LOCAL, "an ending can always be recorded"
    await until(lambda: node.status().totals.items == 0)

    async def is_taken() -> bool:
        return (await node.submit([put(b"again")], wait=True)).durability is Durability.LOCAL

    async with asyncio.timeout(WAIT_SECONDS):
        while not await is_taken():
            await asyncio.sleep(0.05)


@contextmanager
def file_size_limit(octets: int) -> Iterator[None]:
    """Make every write beyond that size fail, as on a full disk."""
    was = resource.getrlimit(resource.RLIMIT_FSIZE)
    was_handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, was[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, was)
        signal.signal(signal.SIGXFSZ, was_handled)


async def test_a_commit_that_fails_costs_a_new_start_not_the_process(bench: Bench) -> None:
    settings = replace(bench.settings(0), peer_node=NO_PEER)
    node, report = await bench.start(settings)
    await until(lambda: node.is_owner)
    assert await node.submit([put(b"kept")], wait=True) == LOCAL
    branches = set(node.status().position)
    with file_size_limit((settings.store_path / "data.mdb").stat().st_size):
        refused = await node.submit([put(b"lost", b"x" * MEBI)], wait=True)
        assert refused == Submitted(Durability.REFUSED, "full")
        assert not node.is_owner
        assert (await node.submit([put(b"too soon")], wait=True)).durability is Durability.REFUSED
        assert node.status().role == "stopped"
        assert not (await node.command("promote")).is_done
        await report.wait_for("replica.started_again")
    await until(lambda: node.is_owner)
    assert await node.submit([put(b"after")], wait=True) == LOCAL
    assert [item.key for item in node.items()] == [b"after", b"kept"]
    assert set(node.status().position) > branches, "a new start writes a branch of its own"


async def test_what_became_of_an_ended_members_transaction_is_not_believed(bench: Bench) -> None:
    node, _ = await bench.start(replace(bench.settings(0), peer_node=NO_PEER))
    await until(lambda: node.is_owner)
    node._written(Written(generation=node._generation - 1, ticket=1, why="failed"))
    assert await node.submit([put(b"k")], wait=True) == LOCAL
    assert node.is_owner


async def test_a_damaged_blob_is_reported_and_never_shipped(bench: Bench) -> None:
    bench.hurry()
    a, b = await bench.pair()
    await a.submit([put(b"k", b"whole" * 1_000)], wait=True)
    await bench.end(a)
    await bench.end(b)
    damage(bench.settings(0).store_path, "blob", layout.piece_key(b"k", 0))
    shutil.rmtree(bench.settings(1).store_path)
    b, _ = await bench.start(bench.settings(1))
    a, report = await bench.start(bench.settings(0))
    damaged = await report.wait_for("replica.damaged")
    assert (damaged["key"], damaged["table"]) == ("k", "blob")
    lost = await report.wait_for("replica.lost")
    assert lost["key"] == "k"
    assert await a.blob(b"k") is None
    assert b.item(b"k") is None
    assert a.status().totals.damaged == 1, "its octets are kept, though nobody has it whole"


async def test_a_damaged_image_keeps_the_node_from_starting(bench: Bench) -> None:
    settings = replace(bench.settings(0), peer_node=NO_PEER)
    node, _ = await bench.start(settings)
    await until(lambda: node.is_owner)
    await bench.end(node)
    damage(settings.store_path, "meta", b"authority")
    for _ in range(2):  # the second time too: the first has let go of the store
        with pytest.raises(DamagedError):
            await bench.start(settings)


async def test_what_waits_is_refused_when_the_node_stops(bench: Bench) -> None:
    a, b = await bench.pair()
    await bench.end(b)
    waiting = asyncio.create_task(a.submit([put(b"k")], wait=True))
    await asyncio.sleep(0)
    await bench.end(a)
    assert (await waiting) == Submitted(Durability.REFUSED, "failed")


async def test_a_peer_without_credentials_is_an_error(bench: Bench) -> None:
    with pytest.raises(ValueError, match="a peer needs ca_path"):
        await Node(replace(bench.settings(0), ca_path=None), CollectedReport()).start()
    with pytest.raises(ValueError, match="a peer needs peer_address"):
        await Node(replace(bench.settings(0), peer_address=""), CollectedReport()).start()
    assert not (bench.folder / "store-0").exists()
