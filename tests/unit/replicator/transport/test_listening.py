"""One server for several links, and what a line across a WAN is spared."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from replicator.core import messages as core
from replicator.transport.link import Link, LinkSettings
from replicator.transport.listening import Listener
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport
from tests.unit.replicator.transport.test_link import BEAT, End, Heard, records

KIBI = 1 << 10


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


class Site:
    """Listens for a.test, which is node 1, and b.test, which is node 2."""

    def __init__(self, authority: CertificateAuthority) -> None:
        self.authority = authority
        self.report = CollectedReport()
        self.heard = {name: Heard() for name in ("a.test", "b.test")}
        number = count(1).__next__
        credentials = authority.issue("site.test")
        self.links = {
            name: Link(LinkSettings(name, credentials, peer_node=node), heard, self.report, number)
            for node, (name, heard) in enumerate(self.heard.items(), 1)
        }
        self.listener = Listener("127.0.0.1:0", credentials, self.links, self.report)

    def member(self, name: str) -> End:
        address = f"127.0.0.1:{self.listener.port}"
        return End(LinkSettings("site.test", self.authority.issue(name), dial_address=address))


@asynccontextmanager
async def a_site(authority: CertificateAuthority, *names: str) -> AsyncIterator[tuple[Site, list[End]]]:
    """Run a site, and members of these names that dial it."""
    site = Site(authority)
    await site.listener.start()
    members = [site.member(name) for name in names]
    try:
        for member in members:
            await member.start()
        yield site, members
    finally:
        for end in [*members, *site.links.values()]:
            await end.stop()
        await site.listener.stop()


async def test_each_member_reaches_its_own_link(authority: CertificateAuthority) -> None:
    async with a_site(authority, "b.test", "a.test") as (site, members):
        for name, member in zip(("b.test", "a.test"), members, strict=True):
            member.link.send(await member.up(), core.Bye(f"from {name}"))
            assert (await site.heard[name].wait("message"))[0][1] == core.Bye(f"from {name}")
        ups = [site.heard[name].of("up")[0] for name in ("a.test", "b.test")]
        assert [node for _, node in ups] == [1, 2]
        assert len({session for session, _ in ups}) == 2, "one session each, of all links"


async def test_a_stranger_reaches_none(authority: CertificateAuthority) -> None:
    async with a_site(authority, "c.test", "a.test") as (site, (stranger, member)):
        event = await stranger.report.wait_for("replica.link_refused")
        assert (event["expected"], event["came"]) == ("a.test,b.test", "c.test")
        assert (await site.report.wait_for("replica.link_refused"))["came"] == "c.test"
        await member.up()
        assert not stranger.heard.of("up")


class Counted:
    """Passes TCP on to a port, and counts what the dialling side sends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self.octets = 0

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        await asyncio.gather(self._pass(reader, far_writer, is_counted=True), self._pass(far_reader, writer))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_counted: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while octets := await reader.read(64 * KIBI):
                self.octets += len(octets) * is_counted
                writer.write(octets)
        writer.close()


@pytest.mark.parametrize("is_compressed", [False, True])
async def test_what_is_compressed_takes_less_of_the_line(authority: CertificateAuthority, is_compressed: bool) -> None:
    listener = End(LinkSettings("a.test", authority.issue("b.test"), is_compressed=is_compressed), "127.0.0.1:0")
    await listener.start()
    line = Counted(listener.port)
    address = f"127.0.0.1:{await line.start()}"
    dialler = End(LinkSettings("b.test", authority.issue("a.test"), dial_address=address, is_compressed=is_compressed))
    await dialler.start()
    sent = records(512 * KIBI)
    dialler.link.send(await dialler.up(), sent)
    assert (await listener.heard.wait("message"))[0][1] == sent
    await dialler.stop()
    await listener.stop()
    await line.stop()
    assert (line.octets < 64 * KIBI) is is_compressed


async def test_a_limited_rate_is_kept_and_beats_get_through(authority: CertificateAuthority) -> None:
    listener = End(LinkSettings("a.test", authority.issue("b.test")), "127.0.0.1:0")
    await listener.start()
    address = f"127.0.0.1:{listener.port}"
    dialler = End(LinkSettings("b.test", authority.issue("a.test"), dial_address=address, octets_per_second=400 * KIBI))
    await dialler.start()
    session = await dialler.up()
    dialler.link.send(session, core.Ack({}))
    await listener.heard.wait("message")
    began = time.monotonic()
    dialler.link.send(session, records(400 * KIBI))
    dialler.link.send(session, BEAT)
    assert (await listener.heard.wait("message", 2))[1][1] == BEAT, "it overtakes"
    await listener.heard.wait("message", 3)
    assert time.monotonic() - began > 0.7, "400 KiB at 400 KiB a second, but for the last packet"
    await dialler.stop()
    await listener.stop()


def test_packets_of_a_slow_line_are_small_enough_for_beats(authority: CertificateAuthority) -> None:
    credentials = authority.issue("a.test")
    sizes = [
        LinkSettings("b.test", credentials, octets_per_second=rate).packet_octets
        for rate in (0, 10 * KIBI, 400 * KIBI, 1 << 30)
    ]
    assert sizes == [1 << 20, 16 * KIBI, 100 * KIBI, 1 << 20]
