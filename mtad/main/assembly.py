"""Builds the rooms that sessions and redelivery share, from the settings (the queue: queue_assembly.py).

Each gets what it needs, and nothing asks for it later. Workers import this: the queue and its store are not theirs.
"""

from __future__ import annotations

import secrets
import ssl
import time
from dataclasses import dataclass, replace
from pathlib import Path

from mtad.admission.in_effect import PolicyInEffect
from mtad.admission.policy import PolicyErrors
from mtad.auth import dkim
from mtad.config.settings import Settings
from mtad.delivery.connection import Timeouts
from mtad.delivery.credentials import Credentials
from mtad.delivery.pace import PaceLimits
from mtad.delivery.pool import Pool, PoolLimits
from mtad.delivery.through import Delivery
from mtad.dns.resolver import Resolver, ResolverLimits
from mtad.limits.questions import Limits, NobodyCounts
from mtad.mail.queue_id import QueueId, QueueIdSource
from mtad.main.policy_source import PolicySource
from mtad.main.start import StartError
from mtad.maps.shelf import Shelf, build_shelf
from mtad.programs.folder import programs_of
from mtad.sieve.outside import Outside
from mtad.telemetry.counted import CountedEvents
from mtad.telemetry.events import Events
from mtad.telemetry.tally import Tally

MESSAGE_EXTRA_OCTETS = 16 << 20  # what a message with its envelope may have beyond the content that a client sent
NEXT_HOP_TURN_SECONDS_MAX = 20.0  # mail waits while a list of many domains is looked up, as far as clients are patient


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


@dataclass(frozen=True, slots=True)
class Shared:
    """What sessions and redelivery use alike."""

    policy: PolicyInEffect
    delivery: Delivery
    signer: dkim.Signer
    maps: Shelf


def build_shared(
    config: Path,
    settings: Settings,
    counted: tuple[CountedEvents, Tally],
    *,
    share: int,
    limits: Limits | None = None,
) -> Shared:
    """Build policy, delivery and signer for one of `share` processes. Errors: StartError.

    config   the file of the settings, which a policy that is loaded anew comes from
    limits   what the policy counts by; without them it has no stage that counts
    """
    events, tally = counted
    hostname = settings.node.hostname
    pool_limits = PoolLimits(PaceLimits(connections_max=max(1, settings.delivery.connections_per_hop_max // share)))
    servers = [(server.host, server.port) for server in settings.dns.servers]
    # one for each purpose: what strangers have the policy ask keeps neither the mail waiting nor the lists
    limits_of_names = ResolverLimits(lookup_seconds_max=settings.dns.timeout_seconds)
    limits_of_mail = replace(limits_of_names, turn_seconds_max=NEXT_HOP_TURN_SECONDS_MAX)
    next_hops = Resolver(servers, limits_of_mail)
    names, lists = Resolver(servers, limits_of_names), Resolver(servers, limits_of_names)
    credentials = Credentials(settings.delivery.credentials, events)
    pool = Pool(hostname, pool_limits, Timeouts(), credentials)
    delivery = Delivery(hostname, next_hops, events, pool=pool, wall_ms=wall_ms)
    maps = load_maps(settings)
    outside = Outside(
        names=names,
        lists=lists,
        limits=limits or NobodyCounts(),
        programs=programs_of(settings, events, share=share),
        logins=frozenset(settings.delivery.credentials),
    )
    policy = load_policy(PolicySource(config, settings, maps, outside, events, tally))
    return Shared(policy, delivery, load_signer(settings), maps)


def counting(events: Events) -> tuple[CountedEvents, Tally]:
    """Return the same events, counted, and where a process keeps what it counts."""
    tally = Tally(events)
    return CountedEvents(events, tally), tally


def load_maps(settings: Settings) -> Shelf:
    """Build the maps that the policy looks things up in. Errors: StartError, with every map that cannot be had."""
    maps = build_shelf(settings.policy.maps)
    if maps.unusable:
        raise StartError("\n".join(map(str, maps.unusable)))
    return maps


def load_policy(source: PolicySource) -> PolicyInEffect:
    """Compile the policy. Errors: StartError, with every error's file, line and column."""
    policy = source.first()
    if isinstance(policy, PolicyErrors):
        raise StartError(str(policy))
    return PolicyInEffect(policy, source.anew, source.events, wall_ms)


def load_signer(settings: Settings) -> dkim.Signer:
    """Load the DKIM keys. Errors: StartError, with every key that cannot be used."""
    files = [dkim.KeyFile(key.domain, key.selector, key.file) for key in settings.dkim.keys]
    signer = dkim.load(files)
    if isinstance(signer, dkim.Signer):
        return signer
    raise StartError("\n".join(str(bad) for bad in signer))


def server_tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the context that STARTTLS uses; None when no certificate is configured."""
    if cert is None or key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context
