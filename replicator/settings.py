"""How one member of a pair runs: who it is, who its peer is, where its files are, its limits and times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replicator.core import events as core
from replicator.core.values import SECOND, AckLevel, Mode

NO_PEER = -1
FULL_BELOW_PERMILLE = 50  # of the store free: the rest is for the ends of what is here


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """A node across a WAN that follows this one; or, without what a member says of a site, one that a site follows."""

    node: int
    name: str  # the DNS name in its certificate
    address: str = ""  # where a member reaches it, host:port
    is_compressed: bool = True
    octets_per_second: int = 0  # 0: no limit
    delay_seconds: float = 0.0  # what is finished before it is so old never crosses


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """All that a node is told. Addresses are `host:port`, with an IPv6 host in brackets.

    name, peer_name   the DNS names in the members' certificates
    terminal_rank     from this rank on nothing is left to do for a part
    follows           set: this node is a site, and these are the members that it follows; it has no peer then
    Of two members the one with the lower number dials, the other listens. Members dial their sites.
    """

    group: str
    node: int
    name: str
    store_path: Path
    terminal_rank: int
    peer_node: int = NO_PEER
    peer_name: str = ""
    peer_address: str = ""
    listen_address: str = ""
    ca_path: Path | None = None
    cert_path: Path | None = None
    key_path: Path | None = None
    map_octets: int = 256 << 20  # at first; it doubles as it fills
    map_octets_max: int = 64 << 30
    item_octets_max: int = 128 << 20  # one record, with its blob
    log_octets_max: int = 1 << 30  # beyond it, or the next, a laggard is served by snapshot
    log_seconds_max: float = 86_400.0
    scrub_octets_per_second: int = 2 << 20  # 0: none
    scrub_pause_seconds: float = 3_600.0  # between two walks over everything
    waiting_octets_max: int = 64 << 20  # submitted and not yet durable here
    beat_seconds: float = 0.25
    promote_after_seconds: float = 3.0
    ack_within_seconds: float = 2.0
    drain_seconds_max: float = 3.0
    accept_alone: bool = True
    level: AckLevel = AckLevel.REMOTE_DURABLE
    authority: Mode = Mode.PAIR
    lease_seconds: float = 3.0  # with a witness; the same on both nodes, and not above the witness's own
    ask_after_seconds: float = 1.0  # silence after which the witness is asked
    witness_name: str = ""  # in its certificate
    witness_address: str = ""
    sites: tuple[SiteSettings, ...] = ()
    follows: tuple[SiteSettings, ...] = ()
    site_silence_seconds: float = 15.0  # after which a link across a WAN is given up
    feed_after_seconds: float = 30.0  # for so long the peer need not say that it ships to a site

    def for_core(self) -> core.Settings:
        """Return what the pure member needs of this."""
        return core.Settings(
            group=self.group,
            node=self.node,
            name=self.name,
            peer_node=self.peer_node,
            peer_name=self.peer_name,
            beat=round(self.beat_seconds * SECOND),
            promote_after=round(self.promote_after_seconds * SECOND),
            ack_within=round(self.ack_within_seconds * SECOND),
            accept_alone=self.accept_alone,
            level=self.level,
            drain_within=round(self.drain_seconds_max * SECOND),
            full_below_permille=FULL_BELOW_PERMILLE,
            authority=self.authority,
            lease=round(self.lease_seconds * SECOND),
            ask_after=round(self.ask_after_seconds * SECOND),
            sites=_remotes(self.sites),
            follows=_remotes(self.follows),
            site_silence=round(self.site_silence_seconds * SECOND),
            feed_after=round(self.feed_after_seconds * SECOND),
        )


def _remotes(sites: tuple[SiteSettings, ...]) -> tuple[core.Remote, ...]:
    return tuple(core.Remote(site.node, site.name, round(site.delay_seconds * SECOND)) for site in sites)
