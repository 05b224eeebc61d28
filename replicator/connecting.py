"""What a node's settings say of its link to the peer, and of its way to the witness."""

from __future__ import annotations

from replicator.core.values import Mode
from replicator.settings import NodeSettings
from replicator.transport.certificates import Credentials
from replicator.transport.link import LinkSettings
from replicator.transport.voting import VotingSettings


def link_settings(settings: NodeSettings) -> LinkSettings:
    """Return who dials whom: the lower number does. Errors: ValueError when something that a peer needs is missing."""
    ca_path, cert_path, key_path = settings.ca_path, settings.cert_path, settings.key_path
    if ca_path is None or cert_path is None or key_path is None:
        raise ValueError("a peer needs ca_path, cert_path and key_path")
    is_dialler = settings.node < settings.peer_node
    address = settings.peer_address if is_dialler else settings.listen_address
    if not address:
        raise ValueError(f"a peer needs {'peer_address' if is_dialler else 'listen_address'}")
    return LinkSettings(
        name=settings.name,
        peer_name=settings.peer_name,
        credentials=Credentials(ca_path, cert_path, key_path),
        dial_address=address if is_dialler else "",
        listen_address="" if is_dialler else address,
        item_octets_max=settings.item_octets_max,
        waiting_octets_max=settings.item_octets_max + (64 << 20),
    )


def voting_settings(settings: NodeSettings) -> VotingSettings | None:
    """Return where the witness is; None without one. Errors: ValueError when something that it needs is missing."""
    if settings.authority is not Mode.WITNESS:
        return None
    ca_path, cert_path, key_path = settings.ca_path, settings.cert_path, settings.key_path
    if ca_path is None or cert_path is None or key_path is None or not settings.witness_address:
        raise ValueError("a witness needs witness_address, ca_path, cert_path and key_path")
    credentials = Credentials(ca_path, cert_path, key_path)
    return VotingSettings(settings.group, settings.witness_name, settings.witness_address, credentials)
