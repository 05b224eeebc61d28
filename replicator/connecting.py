"""What a node's settings say of its links, and of its way to the witness."""

from __future__ import annotations

from dataclasses import replace

from replicator.core.values import Mode
from replicator.settings import NO_PEER, NodeSettings
from replicator.transport import backoff
from replicator.transport.certificates import Credentials
from replicator.transport.link import LinkSettings
from replicator.transport.voting import VotingSettings

FAR_KEEPALIVE_SECONDS = 10.0
REDIALS_IN_SILENCE = 4  # a peer that begins anew must be dialled before it takes the wait between two tries for silence


def link_settings(settings: NodeSettings) -> list[LinkSettings]:
    """Return the links of a node. Of a pair the lower number dials; members dial their sites.

    Errors: ValueError when something that a link needs is missing.
    """
    links = []
    if settings.peer_node != NO_PEER:
        is_dialler = settings.node < settings.peer_node
        address = settings.peer_address if is_dialler else settings.listen_address
        if not address:
            raise ValueError(f"a peer needs {'peer_address' if is_dialler else 'listen_address'}")
        link = _link(settings, settings.peer_node, settings.peer_name, address if is_dialler else "")
        patience = settings.promote_after_seconds / REDIALS_IN_SILENCE
        links.append(replace(link, redial_seconds_max=min(backoff.SECONDS_MAX, patience)))
    for site in settings.sites:
        if not site.address:
            raise ValueError(f"the site {site.name} needs an address")
        link = _link(settings, site.node, site.name, site.address)
        links.append(
            replace(
                link,
                is_compressed=site.is_compressed,
                octets_per_second=site.octets_per_second,
                keepalive_seconds=FAR_KEEPALIVE_SECONDS,
            )
        )
    for member in settings.follows:
        links.append(replace(_link(settings, member.node, member.name, ""), is_compressed=True))
    return links


def _link(settings: NodeSettings, node: int, name: str, dial_address: str) -> LinkSettings:
    return LinkSettings(
        peer_name=name,
        credentials=_credentials(settings, "a peer"),
        peer_node=node,
        dial_address=dial_address,
        item_octets_max=settings.item_octets_max,
        waiting_octets_max=settings.item_octets_max + (64 << 20),
    )


def _credentials(settings: NodeSettings, whose: str) -> Credentials:
    ca_path, cert_path, key_path = settings.ca_path, settings.cert_path, settings.key_path
    if ca_path is None or cert_path is None or key_path is None:
        raise ValueError(f"{whose} needs ca_path, cert_path and key_path")
    return Credentials(ca_path, cert_path, key_path)


def listening(settings: NodeSettings) -> tuple[str, Credentials, dict[int, str]] | None:
    """Return where this node listens, and the names of those who dial it, by their numbers; None when nobody does.

    Errors: ValueError when a site has no address to listen on.
    """
    names = {member.node: member.name for member in settings.follows}
    if settings.node > settings.peer_node != NO_PEER:
        names[settings.peer_node] = settings.peer_name
    if not names:
        return None
    if not settings.listen_address:
        raise ValueError("a site needs listen_address")
    return settings.listen_address, _credentials(settings, "a peer"), names


def voting_settings(settings: NodeSettings) -> VotingSettings | None:
    """Return where the witness is; None without one. Errors: ValueError when something that it needs is missing."""
    if settings.authority is not Mode.WITNESS:
        return None
    if not settings.witness_address:
        raise ValueError("a witness needs witness_address")
    credentials = _credentials(settings, "a witness")
    return VotingSettings(settings.group, settings.witness_name, settings.witness_address, credentials)
