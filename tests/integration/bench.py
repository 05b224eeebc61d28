"""Two real members over loopback TLS: made, filled, damaged and ended for the tests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import lmdb

from replicator.core.values import Durability, Kind, PartValue, Record
from replicator.node import Node
from replicator.settings import NodeSettings
from replicator.status import Submitted
from replicator.transport.certificates import Credentials
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport
from tests.fakes.waiting import WAIT_SECONDS, until

MEBI = 1 << 20
SILENCE_SECONDS = 0.6  # after which the other takes over, in a test that speaks of that
AWAY_SECONDS = 0.4  # after which a peer is waited for no longer, in a test in which it is away
REMOTE = Submitted(Durability.REMOTE)
LOCAL = Submitted(Durability.LOCAL)
NOT_ALONE = (Durability.RECEIVED, Durability.REMOTE)
NAMES = ("a.test", "b.test")


def put(key: bytes, blob: bytes = b"blob") -> Record:
    return Record(Kind.PUT, key, parts=((b"part", PartValue(0, 0, 1, 100, b"")),), meta=b"meta", blob=blob)


def ended(node: Node, key: bytes) -> tuple[Record, Record]:
    """Return the records that end an item."""
    item = node.item(key)
    assert item is not None
    parts = ((b"part", PartValue(3, 1, 2, 0, b"")),)
    return Record(Kind.PART, key, item.put, parts), Record(Kind.DONE, key, item.put)


async def promote(node: Node) -> None:
    """Have a node own the queue: by order, for silence takes its time.

    A pause of the process voids a claim that is on its way to the disk: the order is then given again.
    """
    async with asyncio.timeout(WAIT_SECONDS):
        while not ((await node.command("promote")).is_done and node.is_owner):
            await asyncio.sleep(0.005)


async def settled(a: Node, b: Node) -> tuple[Node, Node]:
    """Return the owner and the other, once the other is content with that; when nobody owns, the first is told to."""

    def is_settled(owner: Node, other: Node) -> bool:
        return owner.is_owner and other.status().role == "passive" and other.status().peer.role == "active"

    async with asyncio.timeout(WAIT_SECONDS):
        while not (is_settled(a, b) or is_settled(b, a)):
            if not (a.is_owner or b.is_owner):
                await a.command("promote")
            await asyncio.sleep(0.005)
    return (a, b) if a.is_owner else (b, a)


class Bench:
    """Makes and ends the two members: a (dials) and b (listens).

    Both live in one process. However long a busy machine lets it stand still, nobody takes over and nobody's
    confirmation is late, unless the test says `hurry` because it is about that.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.promote_after_seconds = 600.0
        self.ack_within_seconds = 60.0
        self.authority = CertificateAuthority(folder)
        self.running: list[Node] = []
        self._port = 0

    def hurry(self) -> None:
        """Let those that start from now on wait for a silent peer as shortly as a test can afford."""
        self.promote_after_seconds = SILENCE_SECONDS
        self.ack_within_seconds = AWAY_SECONDS

    def settings(self, number: int, credentials: Credentials | None = None) -> NodeSettings:
        credentials = credentials or self.authority.issue(NAMES[number])
        return NodeSettings(
            "test",
            number,
            NAMES[number],
            self.folder / f"store-{number}",
            2,
            peer_node=1 - number,
            peer_name=NAMES[1 - number],
            peer_address=f"127.0.0.1:{self._port}" if number == 0 else "",
            listen_address=f"127.0.0.1:{self._port}" if number == 1 else "",
            ca_path=credentials.ca_path,
            cert_path=credentials.cert_path,
            key_path=credentials.key_path,
            map_octets=4 * MEBI,
            map_octets_max=256 * MEBI,
            beat_seconds=0.05,
            promote_after_seconds=self.promote_after_seconds,
            ack_within_seconds=self.ack_within_seconds,
            drain_seconds_max=10.0,
        )

    async def start(self, settings: NodeSettings) -> tuple[Node, CollectedReport]:
        report = CollectedReport()
        node = Node(settings, report)
        await node.start()
        self._port = self._port or node.listen_port
        self.running.append(node)
        return node, report

    async def end(self, node: Node) -> None:
        self.running.remove(node)
        await node.stop()

    async def pair(self, **more: Any) -> tuple[Node, Node]:
        """Return a and b, linked and protected; `more` are settings of both."""
        b, _ = await self.start(replace(self.settings(1), **more))
        a, _ = await self.start(replace(self.settings(0), **more))
        await self.linked(a, b)
        return a, b

    async def linked(self, *nodes: Node) -> None:
        await until(lambda: all(node.status().protection == "protected" for node in nodes))

    async def close(self) -> None:
        """End whoever still runs."""
        for node in list(self.running):
            await self.end(node)


def damage(store_path: Path, table: str, at: bytes) -> None:
    """Put other octets in place of a value."""
    env = lmdb.open(str(store_path), max_dbs=16, map_size=256 * MEBI)
    handle = env.open_db(table.encode())
    with env.begin(write=True) as transaction:
        value = transaction.get(at, db=handle)
        transaction.put(at, bytes(octet ^ 1 for octet in value), db=handle)
    env.close()
