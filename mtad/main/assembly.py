"""Builds the rooms from the settings: each gets what it needs, and nothing asks for it later."""

from __future__ import annotations

import secrets
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtad.admission.policy import DEFAULT_POLICY, Policy, PolicyErrors, PolicySettings
from mtad.auth import dkim
from mtad.config.read import ConfigurationErrors, read
from mtad.config.settings import Replication, Settings
from mtad.delivery.connection import Timeouts
from mtad.delivery.pool import Pool, PoolLimits
from mtad.delivery.through import Delivery
from mtad.dns.resolver import Resolver, ResolverLimits
from mtad.mail.queue_id import QueueId, QueueIdSource
from mtad.main.role_hook import Hook, RoleHook
from mtad.spool.door import TERMINAL_RANK
from mtad.spool.local import LocalSpool, SpoolLimits
from mtad.telemetry.events import Events
from replicator.core.values import Mode
from replicator.node import Node
from replicator.settings import NodeSettings

MESSAGE_EXTRA_OCTETS = 16 << 20  # what a message with its envelope may have beyond the content that a client sent


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
    item_octets_max = settings.smtp.size_octets_max + MESSAGE_EXTRA_OCTETS
    if replication is None:
        return NodeSettings(
            group=node.name,
            node=node.id,
            name=node.name,
            store_path=store_path,
            terminal_rank=TERMINAL_RANK,
            map_octets_max=queue.map_octets_max,
            item_octets_max=item_octets_max,
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
        item_octets_max=item_octets_max,
        beat_seconds=replication.beat_milliseconds / 1000,
        promote_after_seconds=replication.promote_after_seconds,
        ack_within_seconds=replication.ack_within_seconds,
        accept_alone=replication.on_timeout == "accept",
        authority=Mode(replication.authority),
        lease_seconds=replication.lease_seconds,
        **_witness_settings(replication),
    )


def _witness_settings(replication: Replication) -> dict[str, Any]:
    """Return what the engine is told of the witness, when there is one."""
    witness = replication.witness
    if witness is None:
        return {}
    return {
        "witness_name": witness.name,
        "witness_address": str(witness.address),
        "ask_after_seconds": witness.ask_after_seconds,
    }


def build_spool(settings: Settings, events: Events) -> tuple[Node, LocalSpool]:
    """Build the replication node and the queue on it; nothing is started."""
    node = Node(node_settings(settings), events)
    limits = SpoolLimits(free_permille_min=1000 - 10 * settings.queue.full_percent)
    return node, LocalSpool(node, limits, events, wall_ms)


def role_hook(settings: Settings, events: Events) -> RoleHook | None:
    """Build what runs the operator's executable at changes of role; None when none is configured."""
    if settings.replication is None or settings.replication.on_role is None:
        return None
    on_role = settings.replication.on_role
    return RoleHook(Hook(on_role.command, on_role.timeout_seconds, settings.node.name), events)


@dataclass(frozen=True, slots=True)
class Shared:
    """What sessions and redelivery use alike."""

    policy: Policy
    delivery: Delivery
    signer: dkim.Signer


def build_shared(settings: Settings, events: Events, *, share: int) -> Shared:
    """Build policy, delivery and signer for one of `share` processes. Errors: StartError."""
    hostname = settings.node.hostname
    limits = PoolLimits(connections_per_hop_max=max(1, settings.delivery.connections_per_hop_max // share))
    servers = [(server.host, server.port) for server in settings.dns.servers]
    resolver = Resolver(servers, ResolverLimits(lookup_seconds_max=settings.dns.timeout_seconds))
    delivery = Delivery(hostname, resolver, events, pool=Pool(hostname, limits, Timeouts()))
    return Shared(load_policy(settings, events), delivery, load_signer(settings))


class StartError(Exception):
    """Something that was sound when the supervisor checked it is not any more; the text is for the operator."""


def load_policy(settings: Settings, events: Events) -> Policy:
    """Compile the policy. Errors: StartError, with every error's file, line and column."""
    policy = Policy.load(settings.policy.file or DEFAULT_POLICY, PolicySettings(settings.node.domains), events)
    if isinstance(policy, PolicyErrors):
        raise StartError(str(policy))
    return policy


def load_signer(settings: Settings) -> dkim.Signer:
    """Load the DKIM keys. Errors: StartError, with every key that cannot be used."""
    files = [dkim.KeyFile(key.domain, key.selector, key.file) for key in settings.dkim.keys]
    signer = dkim.load(files)
    if isinstance(signer, dkim.Signer):
        return signer
    raise StartError("\n".join(str(bad) for bad in signer))


def settings_of_child(path: Path) -> Settings:
    """Read the settings again in a child process; ends the process when they have become unreadable."""
    settings = read(path)
    if isinstance(settings, ConfigurationErrors):
        print(settings, file=sys.stderr)
        sys.exit(2)
    return settings


def server_tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the context that STARTTLS uses; None when no certificate is configured."""
    if cert is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
