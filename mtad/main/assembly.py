"""Builds the rooms from the settings: each gets what it needs, and nothing asks for it later."""

from __future__ import annotations

import secrets
import ssl
import time
from pathlib import Path

from mtad.config.settings import Settings
from mtad.mail.queue_id import QueueId, QueueIdSource
from mtad.spool.door import TERMINAL_RANK
from mtad.spool.local import LocalSpool, SpoolLimits
from mtad.telemetry.events import Events
from replicator.node import Node
from replicator.settings import NodeSettings


def wall_ms() -> int:
    """Return UTC in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class QueueIds:
    """The queue ids of this process."""

    def __init__(self, node: int) -> None:
        self.source = QueueIdSource(node)

    def next(self) -> QueueId:
        """Return the next one."""
        return self.source.next(wall_ms(), secrets.randbits(32))


def node_settings(settings: Settings) -> NodeSettings:
    """Return what the replication engine needs of the settings."""
    node, queue, replication = settings.node, settings.queue, settings.replication
    store_path = node.data_dir / "queue"
    if replication is None:
        return NodeSettings(
            group=node.name,
            node=node.id,
            name=node.name,
            store_path=store_path,
            terminal_rank=TERMINAL_RANK,
            map_octets_max=queue.map_octets_max,
        )
    return NodeSettings(
        group=replication.group,
        node=node.id,
        name=node.name,
        store_path=store_path,
        terminal_rank=TERMINAL_RANK,
        peer_node=replication.peer.id,
        peer_name=replication.peer.name,
        peer_address=str(replication.peer.address),
        listen_address=str(replication.listen),
        ca_path=replication.ca,
        cert_path=replication.cert,
        key_path=replication.key,
        map_octets_max=queue.map_octets_max,
        beat_seconds=replication.beat_milliseconds / 1000,
        promote_after_seconds=replication.promote_after_seconds,
        ack_within_seconds=replication.ack_within_seconds,
        accept_alone=replication.on_timeout == "accept",
    )


def build_spool(settings: Settings, events: Events) -> tuple[Node, LocalSpool]:
    """Build the replication node and the queue on it; nothing is started."""
    node = Node(node_settings(settings), events)
    limits = SpoolLimits(free_permille_min=1000 - 10 * settings.queue.full_percent)
    return node, LocalSpool(node, limits, events, wall_ms)


def server_tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the context that STARTTLS uses; None when no certificate is configured."""
    if cert is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
