"""Two links over loopback TLS: what one sends the other hears, and a wrong certificate is named on both sides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import grpc.aio
import pytest
import uvloop

from replicator.core import messages as core
from replicator.core.values import Authority, Branch, Kind, Presence, Record, Role
from replicator.pb import replicator_pb2 as pb
from replicator.transport import link, wire
from replicator.transport.certificates import Credentials
from replicator.transport.link import PACKET_SECONDS, Link, LinkSettings, split_address
from replicator.transport.listening import Listener
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import WAIT_SECONDS, until

BEAT = core.Beat({}, Authority(1, 0), Role.PASSIVE, 1, 1000)


class Heard:
    """A Receiver that keeps everything and can be waited on."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, object]] = []
        self.changed = asyncio.Event()
        self.is_ready = asyncio.Event()
        self.is_ready.set()

    async def ready(self) -> None:
        await self.is_ready.wait()

    def link_up(self, session: int, node: int) -> None:
        self._note("up", session, node)

    def link_down(self, session: int, why: str) -> None:
        self._note("down", session, why)

    def received(self, session: int, message: core.Message) -> None:
        self._note("message", session, message)

    def _note(self, what: str, session: int, detail: object) -> None:
        self.log.append((what, session, detail))
        self.changed.set()

    def of(self, what: str) -> list[tuple[int, object]]:
        return [(session, detail) for kept, session, detail in self.log if kept == what]

    async def wait(self, what: str, count: int = 1) -> list[tuple[int, object]]:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(self.of(what)) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.of(what)


class End:
    """One side: its link, what it heard and what it reported. With an address it listens, else it dials."""

    def __init__(self, settings: LinkSettings, listen_address: str = "") -> None:
        self.heard = Heard()
        self.report = CollectedReport()
        self.link = Link(settings, self.heard, self.report, count(1).__next__)
        links = {settings.peer_name: self.link}
        self.listener = Listener(listen_address, settings.credentials, links, self.report) if listen_address else None

    async def start(self) -> None:
        if self.listener is not None:
            await self.listener.start()
        await self.link.start()

    async def stop(self) -> None:
        await self.link.stop()
        if self.listener is not None:
            await self.listener.stop()

    @property
    def port(self) -> int:
        assert self.listener is not None
        return self.listener.port

    async def up(self) -> int:
        return (await self.heard.wait("up"))[-1][0]


@asynccontextmanager
async def two_ends(
    a: Credentials,
    b: Credentials,
    *,
    host: str = "127.0.0.1",
    a_expects: str = "b.test",
    b_expects: str = "a.test",
    **limits: int,
) -> AsyncIterator[tuple[End, End]]:
    listener = End(LinkSettings(b_expects, b, **limits), f"{host}:0")
    await listener.start()
    dialler = End(LinkSettings(a_expects, a, dial_address=f"{host}:{listener.port}", **limits))
    await dialler.start()
    try:
        yield dialler, listener
    finally:
        await dialler.stop()
        await listener.stop()


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def records(*sizes: int) -> core.Records:
    return core.Records(
        Branch(0, 1), 1, tuple(Record(Kind.PUT, b"key%d" % size, blob=bytes([size % 251]) * size) for size in sizes)
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_messages_arrive_in_order_both_ways(authority: CertificateAuthority, host: str) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test"), host=host) as (dialler, listener):
        for near, far in ((dialler, listener), (listener, dialler)):
            session = await near.up()
            sent = [core.Ack({Branch(0, 1): seq}) for seq in range(1, 200)]
            for message in sent:
                near.link.send(session, message)
            assert [detail for _, detail in await far.heard.wait("message", len(sent))] == sent


def test_it_works_on_uvloop_too(authority: CertificateAuthority) -> None:
    async def exchange() -> None:
        async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
            session = await dialler.up()
            dialler.link.send(session, records(3 << 20))
            assert (await listener.heard.wait("message"))[0][1] == records(3 << 20)

    uvloop.run(exchange())


async def test_no_more_is_read_than_the_receiver_has_room_for(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        session = await dialler.up()
        listener.heard.is_ready.clear()
        for _ in range(12):  # the one that is being read is taken, and no other
            dialler.link.send(session, core.Fetched(b"x", Presence.ABSENT))
            await asyncio.sleep(0.01)
        assert len(listener.heard.of("message")) <= 1
        listener.heard.is_ready.set()
        await listener.heard.wait("message", 12)


async def test_records_that_follow_one_another_travel_as_one(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        session = await dialler.up()
        runs = [core.Records(Branch(0, 1), seq, (Record(Kind.VOID, b"k%d" % seq),)) for seq in range(1, 9)]
        for run in [*runs[:3], *runs[5:]]:
            dialler.link.send(session, run)
        dialler.link.send(session, core.Ack({}))
        heard = [detail for _, detail in await listener.heard.wait("message", 3)]
        assert [(type(one), getattr(one, "first_seq", 0), len(getattr(one, "records", ()))) for one in heard] == [
            (core.Records, 1, 3),
            (core.Records, 6, 3),
            (core.Ack, 0, 0),
        ]


async def test_a_renewed_certificate_is_used_without_a_new_start(authority: CertificateAuthority) -> None:
    wrong, right = authority.issue("c.test"), authority.issue("b.test")
    async with two_ends(authority.issue("a.test"), wrong) as (dialler, listener):
        await dialler.report.wait_for("replica.link_refused")
        wrong.cert_path.unlink()
        await listener.report.wait_for("replica.credentials")
        wrong.key_path.write_bytes(right.key_path.read_bytes())
        wrong.cert_path.write_bytes(right.cert_path.read_bytes())
        await dialler.up()


async def test_an_item_larger_than_a_packet_arrives_whole(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        session = await dialler.up()
        large = records(5 << 20, 17)
        dialler.link.send(session, large)
        assert (await listener.heard.wait("message"))[0][1] == large


async def test_a_beat_overtakes_a_large_item(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        session = await dialler.up()
        dialler.link.send(session, core.Ack({}))
        await listener.heard.wait("message")
        dialler.link.send(session, records(20 << 20))
        dialler.link.send(session, BEAT)
        heard = await listener.heard.wait("message", 3)
        assert [type(detail) for _, detail in heard] == [core.Ack, core.Beat, core.Records]


async def test_an_item_beyond_the_limit_ends_the_link(authority: CertificateAuthority) -> None:
    a, b = authority.issue("a.test"), authority.issue("b.test")
    async with two_ends(a, b, item_octets_max=1 << 20) as (dialler, listener):
        dialler.link.send(await dialler.up(), records(4 << 20))
        await listener.heard.wait("down")
        assert "more than" in str(listener.report.named("replica.damaged")[0]["what"])
        assert not listener.heard.of("message")


async def test_what_waits_is_bounded(authority: CertificateAuthority) -> None:
    a, b = authority.issue("a.test"), authority.issue("b.test")
    async with two_ends(a, b, waiting_octets_max=3 << 20) as (dialler, _):
        session = await dialler.up()
        for _ in range(4):
            dialler.link.send(session, records(1 << 20))
        assert dialler.heard.of("down") == [(session, "the peer does not read")]


async def test_room_is_told_when_little_waits(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, _):
        session = await dialler.up()
        dialler.link.send(session, records(8 << 20))
        waiting = asyncio.create_task(dialler.link.room(session, WAIT_SECONDS))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await asyncio.wait_for(waiting, WAIT_SECONDS)
        assert not await dialler.link.room(session + 1, WAIT_SECONDS)


async def test_room_is_awaited_for_as_long_as_anything_leaves(authority: CertificateAuthority) -> None:
    a, b = authority.issue("a.test"), authority.issue("b.test")
    async with two_ends(a, b, octets_per_second=1 << 20) as (dialler, _):
        session = await dialler.up()
        dialler.link.send(session, records(2 << 20))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await dialler.link.room(session, PACKET_SECONDS / 5)
        began = time.monotonic()
        assert await dialler.link.room(session, 1.0)
        assert time.monotonic() - began > 1.0


async def test_it_is_dialled_again_with_a_larger_session(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        first = await dialler.up()
        listener.link.close(await listener.up(), "tired")
        again = await dialler.heard.wait("up", 2)
        assert again[1][0] > first
        assert len(dialler.heard.of("down")) == 1
        assert listener.heard.of("down")[0][1] == "tired"


def hello(store_id: bytes) -> core.Hello:
    return core.Hello("group", 0, "a.test", store_id, 9, 1, 1, {}, Authority(1, 0), Role.PASSIVE)


async def another(authority: CertificateAuthority, listener: End) -> End:
    """Return a second end that dials under the first one's name."""
    address = f"127.0.0.1:{listener.port}"
    second = End(LinkSettings("b.test", authority.issue("a.test"), dial_address=address))
    await second.start()
    return second


@pytest.mark.parametrize("store_id", [b"the same", b""])
async def test_the_newest_link_takes_the_place_of_one_that_stands(
    authority: CertificateAuthority, store_id: bytes
) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        await listener.up()
        dialler.link.send(await dialler.up(), hello(store_id))
        await listener.heard.wait("message")
        second = await another(authority, listener)
        second.link.send(await second.up(), hello(b"the same"))
        await dialler.heard.wait("down")
        assert (await listener.heard.wait("message", 2))[1] == (2, hello(b"the same"))
        await second.stop()
        told = [(what, session) for what, session, _ in listener.heard.log]
        assert told[:4] == [("up", 1), ("message", 1), ("down", 1), ("up", 2)]
        assert listener.heard.of("down")[0][1] == "replaced by a new link"


async def test_another_store_waits_until_the_link_has_ended_that_stands(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        await listener.up()
        dialler.link.send(await dialler.up(), hello(b"\x01"))
        await listener.heard.wait("message")
        second = await another(authority, listener)
        second.link.send(await second.up(), hello(b"\x02"))
        (_, bye), *_ = await second.heard.wait("message")
        assert bye == core.Bye("store: expected 01, whose link stands, came 02")
        assert (await listener.report.wait_for("replica.refused"))["why"] == bye.why
        assert listener.heard.of("down") == dialler.heard.of("down") == []
        await dialler.stop()
        await listener.heard.wait("down")
        async with asyncio.timeout(WAIT_SECONDS):
            while not listener.heard.of("message")[1:]:
                second.link.send(await second.up(), hello(b"\x02"))
                await asyncio.sleep(0.02)
        assert listener.heard.of("up")[-1][0] == 2
        await second.stop()


async def test_who_comes_and_says_nothing_does_not_disturb_the_link(
    authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CONNECT_SECONDS_MAX", 0.3)
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        await listener.up()
        second = await another(authority, listener)
        await second.heard.wait("down")
        assert listener.heard.of("down") == dialler.heard.of("down") == []
        await second.stop()


async def test_a_message_of_another_session_ends_the_link(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        session = await dialler.up()
        dialler.link.send(session, core.Ack({}))
        await listener.heard.wait("message")
        current = dialler.link._current
        assert current is not None
        current.outgoing.put(wire.encode(session + 1, core.Ack({Branch(0, 1): 9})))
        current.has_work.set()
        what = (await listener.report.wait_for("replica.damaged"))["what"]
        assert what == f"session: expected {session}, came {session + 1}"
        assert len(listener.heard.of("message")) == 1


async def test_what_was_sent_before_close_still_goes_out(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("b.test")) as (dialler, listener):
        session = await listener.up()
        listener.link.send(session, core.Bye("versions"))
        listener.link.close(session, "versions")
        assert (await dialler.heard.wait("message"))[0][1] == core.Bye("versions")


class EndingStream:
    """A stream whose other end goes away while something is being written, which is not given up at once."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()
        self.is_given_up = asyncio.Event()
        self._written_count = 0
        self._reads = iter((pb.Packet(),))

    async def read(self) -> object:
        for packet in self._reads:
            return packet
        await self.is_over.wait()
        return grpc.aio.EOF

    async def write(self, packet: object) -> None:
        self._written_count += 1
        if self._written_count == 1:  # that the link is served
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.is_given_up.set()
            await asyncio.Event().wait()


async def test_a_stream_that_is_cancelled_while_it_ends_is_told_of_as_down(authority: CertificateAuthority) -> None:
    """gRPC cancels who serves a stream that the other has left: before its end was read, or just after."""
    heard, stream = Heard(), EndingStream()
    ending = Link(LinkSettings("a.test", authority.issue("b.test")), heard, CollectedReport(), count(1).__next__)
    serving = asyncio.create_task(ending.serve(stream))
    await heard.wait("up")
    ending.send(1, BEAT)
    stream.is_over.set()
    await stream.is_given_up.wait()
    serving.cancel()
    assert await heard.wait("down") == [(1, "the peer ended it")]
    assert ending.problem.state == "down"


async def test_both_report_a_listener_of_another_name(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("a.test"), authority.issue("c.test")) as (dialler, listener):
        for end in (dialler, listener):
            event = await end.report.wait_for("replica.link_refused")
            assert (event["expected"], event["came"]) == ("b.test", "c.test")
            assert end.link.problem.state == "refused"
            assert not end.heard.of("up")


async def test_both_report_a_dialler_of_another_name(authority: CertificateAuthority) -> None:
    async with two_ends(authority.issue("d.test"), authority.issue("b.test")) as (dialler, listener):
        for end in (dialler, listener):
            event = await end.report.wait_for("replica.link_refused")
            assert (event["expected"], event["came"]) == ("a.test", "d.test")
            assert not end.heard.of("up")


async def test_a_certificate_of_another_authority_is_refused(authority: CertificateAuthority, tmp_path: Path) -> None:
    other = CertificateAuthority(tmp_path, "other-ca")
    async with two_ends(authority.issue("a.test"), other.issue("b.test")) as (dialler, listener):
        event = await dialler.report.wait_for("replica.link_refused")
        assert event["came"] == "b.test"
        assert event["why"] == dialler.link.problem.text == "certificate: not signed by the CA of test-ca.pem"
        assert listener.link.problem.text == "not connected yet: a.test dials this node"
        assert not dialler.heard.of("up")
        assert not listener.heard.of("up")


async def test_nobody_there_is_told_as_a_problem(authority: CertificateAuthority) -> None:
    end = End(LinkSettings("b.test", authority.issue("a.test"), dial_address="127.0.0.1:1"))
    await end.link.start()
    await until(lambda: "no TLS connection" in end.link.problem.text)
    await end.link.stop()
    assert end.heard.log == []


async def test_a_taken_port_is_an_error(authority: CertificateAuthority) -> None:
    credentials = authority.issue("b.test")
    first = End(LinkSettings("a.test", credentials), "127.0.0.1:0")
    await first.start()
    second = End(LinkSettings("a.test", credentials), f"127.0.0.1:{first.port}")
    with pytest.raises(OSError, match="cannot listen"):
        await second.start()
    await first.stop()


@pytest.mark.parametrize(
    ("address", "parts"),
    [("127.0.0.1:25", ("127.0.0.1", 25)), ("[::1]:25", ("::1", 25)), ("mx.example.net:25", ("mx.example.net", 25))],
)
def test_addresses(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


def test_an_address_without_port_is_an_error() -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_address("localhost")
