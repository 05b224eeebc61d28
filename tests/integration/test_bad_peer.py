"""A real node and a peer that misbehaves: each fault is refused with an event, nothing of it is applied.

The peer is the one that the recorded schema of version 1 describes, with the same certificate as the true one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from replicator.node import Node
from replicator.transport import backoff
from tests.compatibility.v1.peer import ACTIVE, PUT, OldPeer, item, position, record, schema
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import until
from tests.integration.bench import NAMES, Bench, put

WAITS = [schema.Part(id=b"part", rank=0, hlc=1, due=100)]
FAR = 1_000_007
QUIET_SECONDS = 0.3  # in which what must not happen would


class BadPeer(OldPeer):
    """Greets as it is told to, and counts how often it is dialled."""

    def __init__(self, bench: Bench, number: int = 1, name: str = "", authority: CertificateAuthority | None = None):
        name = name or NAMES[number]
        super().__init__(number, name, (authority or bench.authority).issue(name))
        self.store_id = b"an old store"
        self.group = "test"
        self.versions = (1, 1)
        self.more: dict[str, Any] = {}
        self.dialled_count = 0

    def _say_hello(self) -> None:
        self.dialled_count += 1
        hello = {
            "group": self.group,
            "node": self.node,
            "name": self.name,
            "store_id": self.store_id,
            "incarnation": self.incarnation,
            "session": self._session,
            "version_min": self.versions[0],
            "version_max": self.versions[1],
            "vector": self.proto_vector(),
            "epoch": self.epoch[0],
            "epoch_node": self.epoch[1],
            "role": self.role,
        }
        self.say(hello=schema.Hello(**{**hello, **self.more}))

    def say_octets(self, octets: bytes) -> None:
        """Send octets as a message."""
        self._outgoing.put_nowait(octets)


async def start(bench: Bench, bad: BadPeer) -> tuple[Node, CollectedReport]:
    """Start node 0, which dials the peer; it never promotes itself."""
    return await bench.start(replace(bench.settings(0), peer_address=f"127.0.0.1:{bad.port}"))


def is_untouched(node: Node) -> bool:
    """Tell whether nothing of the peer's was applied."""
    status = node.status()
    return not node.items() and not status.position and (status.epoch, status.role) == (0, "passive")


# --- who is not talked to at all ----------------------------------------------------------------------------


class Greeting(NamedTuple):
    """What is wrong with a Hello, and what is said about it."""

    spoil: Callable[[BadPeer], None]
    why: str


GREETINGS = {
    "group": Greeting(lambda bad: setattr(bad, "group", "other"), "group: expected 'test', came 'other'"),
    "node": Greeting(lambda bad: setattr(bad, "node", 7), "node: expected 1, came 7"),
    "version": Greeting(lambda bad: setattr(bad, "versions", (8, 9)), "version: expected 1 to"),
    "epoch": Greeting(lambda bad: setattr(bad, "epoch", (FAR, 1)), "epoch: expected at most 1000000, came 1000007"),
}


@pytest.mark.parametrize("name", GREETINGS)
async def test_a_greeting_that_does_not_fit_is_refused_and_tried_again(bench: Bench, name: str) -> None:
    bad = BadPeer(bench)
    bad.role = ACTIVE
    GREETINGS[name].spoil(bad)
    async with bad.listening():
        node, report = await start(bench, bad)
        refused = await report.wait_for("replica.refused")
        assert str(refused["why"]).startswith(GREETINGS[name].why)
        assert (await bad.wait("bye"))[0].why == refused["why"]
        bad.say_records(1, record(PUT, b"k", parts=WAITS))
        await until(lambda: bad.dialled_count >= 3)
        assert is_untouched(node)
        await until(lambda: node.status().peer.state == "refused")  # it is "greeting" for a moment at each try
        assert GREETINGS[name].why in node.status().peer.problem


async def test_a_position_beyond_our_log_is_refused(bench: Bench) -> None:
    bad = BadPeer(bench)
    async with bad.listening():
        node, report = await start(bench, bad)
        (hello,) = await bad.wait("hello")
        bad.vector[(0, hello.incarnation)] = 9  # it goes out with the next beat
        refused = await report.wait_for("replica.refused")
        assert refused["why"] == "position of our own branch: expected at most 0, came 9"
        await until(lambda: len(bad.said("bye")) >= 2)  # the next greeting is refused as well
        assert is_untouched(node)


@pytest.mark.parametrize("what", ["another name", "another authority"])
async def test_a_wrong_certificate_gets_no_word(bench: Bench, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    strange = CertificateAuthority(folder) if what == "another authority" else None
    bad = BadPeer(bench, name=NAMES[1] if strange else "mallory.test", authority=strange)
    async with bad.listening():
        node, report = await start(bench, bad)
        refused = await report.wait_for("replica.link_refused")
        assert (refused["expected"], refused["came"]) == (NAMES[1], bad.name)
        assert bool(refused["why"]) is (strange is not None)
        await until(lambda: node.status().peer.state in ("refused", "down") and bool(node.status().peer.problem))
        await asyncio.sleep(QUIET_SECONDS)
        assert bad.said("hello") == []
        assert is_untouched(node)


# --- what ends a link that stood ----------------------------------------------------------------------------


def _bad_record(bad: BadPeer) -> None:
    spoiled = record(PUT, b"k", parts=WAITS, blob=b"octets")
    spoiled.blob = b"octetz"
    bad.say_records(1, spoiled)


def _bad_item(bad: BadPeer) -> None:
    own = position(1, bad.incarnation, 1)
    bad.say(snapshot_begin=schema.SnapshotBegin(vector=schema.Vector(positions=[own])))
    spoiled = item(PUT, b"k", put=own, parts=WAITS, blob=b"octets", has_blob=True)
    spoiled.meta = b"other"
    bad.say(snapshot_item=spoiled)


def _cut_message(bad: BadPeer) -> None:
    branch = schema.Branch(node=1, incarnation=bad.incarnation)
    records = schema.Records(branch=branch, first_seq=1, records=[record(PUT, b"k", parts=WAITS, blob=b"x" * 99)])
    bad.say_octets(schema.Message(session=bad._session, records=records).SerializeToString()[:-20])


def _other_session(bad: BadPeer) -> None:
    branch = schema.Branch(node=1, incarnation=bad.incarnation)
    records = schema.Records(branch=branch, first_seq=1, records=[record(PUT, b"k", parts=WAITS)])
    bad.say_octets(schema.Message(session=bad._session + 1, records=records).SerializeToString())


DAMAGES = {
    "a record that fails its check": _bad_record,
    "an item that fails its check": _bad_item,
    "a message that is cut short": _cut_message,
    "a message of another session": _other_session,
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_what_is_not_what_was_sent_ends_the_link_and_is_not_applied(bench: Bench, name: str) -> None:
    bad = BadPeer(bench)
    async with bad.listening():
        node, report = await start(bench, bad)
        await report.wait_for("replica.link_up")
        DAMAGES[name](bad)
        assert (await report.wait_for("replica.damaged"))["where"] == "link"
        await until(lambda: node.status().peer.state == "up" and bad.dialled_count >= 2)
        assert is_untouched(node)
        bad.say_records(1, record(PUT, b"sound", parts=WAITS))
        await until(lambda: node.item(b"sound") is not None)


@pytest.mark.parametrize("said", ["beat", "handover"])
async def test_an_epoch_from_the_future_ends_the_link(bench: Bench, said: str) -> None:
    bad = BadPeer(bench)
    async with bad.listening():
        node, report = await start(bench, bad)
        await report.wait_for("replica.link_up")
        if said == "beat":
            bad.epoch = (FAR, 1)
        else:
            bad.say(handover=schema.Handover(epoch=FAR, node=1))
        assert (await report.wait_for("replica.refused"))["why"] == "epoch: expected at most 1000000, came 1000007"
        assert is_untouched(node)


async def test_a_stream_that_breaks_off_leaves_what_was_whole(bench: Bench) -> None:
    bad = BadPeer(bench)
    async with bad.listening():
        node, report = await start(bench, bad)
        await report.wait_for("replica.link_up")
        bad.say_records(1, record(PUT, b"whole", parts=WAITS))
        own = position(1, bad.incarnation, 2)
        bad.say(snapshot_begin=schema.SnapshotBegin(vector=schema.Vector(positions=[own])))
        bad.say(snapshot_item=item(PUT, b"also", put=own, parts=WAITS, has_blob=True))
        await until(lambda: node.item(b"whole") is not None)
    await report.wait_for("replica.link_down")
    assert node.item(b"whole") is not None
    await until(lambda: bool(node.status().position))
    assert list(node.status().position.values()) == [1], "a snapshot counts when it has ended"


# --- what is said again -------------------------------------------------------------------------------------


async def test_a_greeting_that_is_replayed_is_refused(bench: Bench) -> None:
    bad = BadPeer(bench)
    async with bad.listening():
        node, report = await start(bench, bad)
        await report.wait_for("replica.link_up")
        bad.more = {"session": 1}
        bad.say(bye=schema.Bye(why="again"))
        refused = await report.wait_for("replica.refused")
        assert refused["why"] == "session: expected one above 1, came 1: a stream that is replayed"
        bad.more = {}
        await until(lambda: node.status().peer.state == "up")


async def test_records_that_are_replayed_are_applied_once(bench: Bench) -> None:
    bad = BadPeer(bench)
    async with bad.listening():
        node, report = await start(bench, bad)
        await report.wait_for("replica.link_up")
        said = [record(PUT, b"k", parts=WAITS), record(PUT, b"l", parts=WAITS)]
        for _ in range(3):
            bad.say_records(1, *said)
        bad.say_records(3, record(PUT, b"m", parts=WAITS))
        await until(lambda: node.item(b"m") is not None)
        assert [each.key for each in node.items()] == [b"k", b"l", b"m"]
        await until(lambda: list(node.status().position.values()) == [3])
        assert report.named("replica.refused") == []


# --- a second node under the peer's name --------------------------------------------------------------------


async def test_a_second_daemon_with_an_empty_store_does_not_take_the_link(bench: Bench) -> None:
    a, b = await bench.pair()
    await a.submit([put(b"k")], wait=True)
    mallory = BadPeer(bench, number=0)
    mallory.store_id = b"empty"
    async with mallory.dialling(b.listen_port, NAMES[1]):
        assert "whose link stands" in (await mallory.wait("bye"))[0].why
        await asyncio.sleep(QUIET_SECONDS)
        assert b.status().protection == "protected"
        assert mallory.records() == []
        assert mallory.said("snapshot_begin") == []
    assert [each.key for each in b.items()] == [b"k"]


# --- again and again, and ever more rarely ------------------------------------------------------------------


async def test_a_link_that_is_refused_is_dialled_ever_more_rarely(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    real = backoff.Backoff.wait_seconds

    def noted(self: backoff.Backoff, stood_seconds: float, share: float) -> float:
        waits.append(real(self, stood_seconds, 1.0))
        return 0.0

    monkeypatch.setattr(backoff.Backoff, "wait_seconds", noted)
    bad = BadPeer(bench)
    bad.group = "other"
    async with bad.listening():
        _, report = await start(bench, bad)
        await until(lambda: len(waits) >= 7)
    assert waits[:7] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    assert len(report.named("replica.refused")) == 1  # the same again is told after a minute
