"""Builds the replication node and the queue on it, from the settings; the spool process has them, workers do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lmdb

from mtad.config.settings import Replication, Settings
from mtad.limits.ledger import Ledger
from mtad.main.assembly import MESSAGE_EXTRA_OCTETS, wall_ms
from mtad.main.role_hook import Hook, RoleHook
from mtad.spool.door import TERMINAL_RANK
from mtad.spool.local import LocalSpool, SpoolLimits
from mtad.telemetry.events import Events
from replicator.codec import DamagedError
from replicator.core.values import AckLevel, Mode
from replicator.node import Node
from replicator.settings import NodeSettings, SiteSettings
from replicator.store.environment import StoreFormatError, StoreLockedError, StoreOwnerError

STORE_ERRORS = (StoreFormatError, StoreLockedError, StoreOwnerError, DamagedError, lmdb.Error)
"""What may be expected of a queue that is opened."""


def node_settings(settings: Settings) -> NodeSettings:
    """Return what the replication engine needs of the settings."""
    node, queue, replication = settings.node, settings.queue, settings.replication
    alone = NodeSettings(
        group=node.name,
        node=node.id,
        name=node.name,
        store_path=node.data_dir / "queue",
        terminal_rank=TERMINAL_RANK,
        map_octets_max=queue.map_octets_max,
        item_octets_max=settings.smtp.size_octets_max + MESSAGE_EXTRA_OCTETS,
    )
    if replication is None:
        return alone
    return replace(
        alone,
        group=replication.group,
        listen_address=str(replication.listen),
        ca_path=replication.ca,
        cert_path=replication.cert,
        key_path=replication.key,
        beat_seconds=replication.beat_milliseconds / 1000,
        promote_after_seconds=replication.promote_after_seconds,
        ack_within_seconds=replication.ack_within_seconds,
        accept_alone=replication.on_timeout == "accept",
        level=AckLevel(replication.level),
        authority=Mode(replication.authority),
        lease_seconds=replication.lease_seconds,
        **_others(replication),
        **_witness_settings(replication),
    )


def _others(replication: Replication) -> dict[str, Any]:
    """Return what the engine is told of the nodes that this one has links to."""
    peer = replication.peer
    told: dict[str, Any] = {
        "sites": tuple(
            SiteSettings(
                site.id, site.name, str(site.address), site.compression, site.octets_per_second, site.delay_seconds
            )
            for site in replication.sites
        ),
        "follows": tuple(SiteSettings(member.id, member.name) for member in replication.members),
    }
    if peer is not None:
        told |= {"peer_node": peer.id, "peer_name": peer.name, "peer_address": str(peer.address)}
    return told


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


def build_spool(settings: Settings, ledger: Ledger, events: Events) -> tuple[Node, LocalSpool]:
    """Build the replication node and the queue on it; nothing is started."""
    node = Node(node_settings(settings), events)
    limits = SpoolLimits(free_permille_min=1000 - 10 * settings.queue.full_percent)
    return node, LocalSpool(node, limits, events, wall_ms, ledger)


def role_hook(settings: Settings, events: Events) -> RoleHook | None:
    """Build what runs the operator's executable at changes of role; None when none is configured."""
    if settings.replication is None or settings.replication.on_role is None:
        return None
    on_role = settings.replication.on_role
    return RoleHook(Hook(on_role.command, on_role.timeout_seconds, settings.node.name), events)
