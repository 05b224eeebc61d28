"""A pair and a site that follows it: three nodes over loopback TLS, each with its own disk."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest_asyncio

from replicator.core.values import Durability
from replicator.node import Node
from replicator.settings import NO_PEER, NodeSettings, SiteSettings
from replicator.status import Submitted
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import until
from tests.integration.bench import LOCAL, MEBI, NAMES, REMOTE, Bench, ended, put, settled

SITE = "site.test"
SITE_NODE = 2


class SiteBench(Bench):
    """A pair whose two members dial a site."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.site_port = 0
        self.site_terms: dict[str, object] = {}
        self.log_octets_max = 64 * MEBI

    def settings(self, number: int, credentials: object = None) -> NodeSettings:
        site = SiteSettings(SITE_NODE, SITE, f"127.0.0.1:{self.site_port}", **self.site_terms)  # type: ignore[arg-type]
        return replace(
            super().settings(number),
            sites=(site,),
            feed_after_seconds=2.0,
            site_silence_seconds=60.0,
            log_octets_max=self.log_octets_max,
        )

    def site_settings(self) -> NodeSettings:
        credentials = self.authority.issue(SITE)
        return replace(
            super().settings(0, credentials),
            node=SITE_NODE,
            name=SITE,
            store_path=self.folder / "store-site",
            peer_node=NO_PEER,
            peer_name="",
            peer_address="",
            listen_address=f"127.0.0.1:{self.site_port}",
            follows=tuple(SiteSettings(node, name) for node, name in enumerate(NAMES)),
            feed_after_seconds=2.0,
            site_silence_seconds=60.0,
        )

    async def start_site(self) -> Node:
        node = Node(self.site_settings(), CollectedReport())
        await node.start()
        self.site_port = self.site_port or node.listen_port
        self.running.append(node)
        return node

    async def three(self) -> tuple[Node, Node, Node]:
        """Return the owner, its peer and the site, linked and level."""
        site = await self.start_site()
        a, b = await self.pair()
        owner, other = await settled(a, b)
        await until(lambda: [far.state for node in (a, b) for far in node.status().sites] == ["up", "up"])
        return owner, other, site


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SiteBench]:
    made = SiteBench(tmp_path)
    yield made
    await made.close()


async def test_a_site_follows(bench: SiteBench) -> None:
    owner, other, site = await bench.three()
    assert await owner.submit([put(b"k", b"octets" * 999)], wait=True) == REMOTE
    await until(lambda: site.item(b"k") == owner.item(b"k"))
    assert await site.blob(b"k") == b"octets" * 999
    assert site.status().role == "following"
    roles = {owner.status().name: "active", other.status().name: "passive"}
    assert {far.name: far.role for far in site.status().follows} == roles
    await until(lambda: other.status().sites[0].lag_records == 0)
    await until(lambda: [node.status().sites[0].is_fed for node in (owner, other)] == [False, True])
    await owner.submit(ended(owner, b"k"), wait=False)
    await until(lambda: site.item(b"k") is None)


async def test_a_large_queue_reaches_a_site_at_a_limited_rate(bench: SiteBench) -> None:
    bench.site_terms = {"octets_per_second": 2 * MEBI}
    owner, _, site = await bench.three()
    begin = time.monotonic()
    for number in range(8):
        await owner.submit([put(b"k%d" % number, bytes([number]) * (MEBI // 4))], wait=True)
    await until(lambda: site.status().totals.items == 8)
    assert time.monotonic() - begin > 0.9, "two MiB take a second"
    await until(lambda: site.status().position == owner.status().position)


async def test_a_site_whose_log_was_cut_resumes_by_a_snapshot(bench: SiteBench) -> None:
    bench.log_octets_max = 16 << 10
    owner, other, site = await bench.three()
    await owner.submit([put(b"k000")], wait=True)
    await until(lambda: site.item(b"k000") is not None)
    await bench.end(site)
    await until(lambda: other.status().sites[0].state != "up")
    await owner.submit(ended(owner, b"k000"), wait=False)
    for number in range(1, 200):
        await owner.submit([put(b"k%03d" % number)], wait=True)
    status = other.status().sites[0]
    assert status.lag_records == 201
    assert status.lag_octets > 199 * len(b"blob")
    assert status.lag_seconds > 0
    assert status.problem
    for node in (owner, other):  # what the log lacks cannot come from it
        assert node._store.read_log(owner._member.own, 2, 1 << 20).records is None  # type: ignore[union-attr]
    site = await bench.start_site()
    await until(lambda: site.status().position == owner.status().position)
    assert site.item(b"k000") is None
    assert [item.key for item in site.items(limit=1_000)] == [item.key for item in owner.items(limit=1_000)]
    await until(lambda: other.status().sites[0].lag_records == 0)


async def test_a_site_takes_over_by_order_and_gives_back(bench: SiteBench) -> None:
    owner, other, site = await bench.three()
    await owner.submit([put(b"k")], wait=True)
    await until(lambda: site.item(b"k") is not None)
    refused = await site.command("promote")
    assert (refused.is_done, refused.text) == (
        False,
        f"{owner.status().name} is active: promote its peer there, or force",
    )
    for node in (owner, other):
        await bench.end(node)
    await until(lambda: all(member.state != "up" for member in site.status().follows))
    refused = await site.command("promote")
    assert not refused.is_done
    assert "Force, if none is" in refused.text
    assert (await site.command("promote", force=True)).is_done
    await until(lambda: site.is_owner)
    await site.submit(ended(site, b"k"), wait=False)
    assert await site.submit([put(b"at-the-site")], wait=True) == LOCAL
    a, _ = await bench.start(bench.settings(0))
    b, _ = await bench.start(bench.settings(1))
    await until(lambda: all(node.item(b"k") is None and node.item(b"at-the-site") is not None for node in (a, b)))
    await until(lambda: [node.status().role for node in (a, b, site)] == ["passive", "passive", "active"])
    assert (await a.command("promote")).is_done
    await until(lambda: [node.status().role for node in (a, b, site)] == ["active", "passive", "following"])


async def test_a_change_at_a_site_is_kept_there_and_goes_home(bench: SiteBench) -> None:
    owner, other, site = await bench.three()
    assert await site.submit([put(b"k")], wait=True) == Submitted(Durability.LOCAL)
    await until(lambda: owner.item(b"k") is not None and other.item(b"k") is not None)
