"""What an operator's command may cost, in words: said when it is refused, and when it is done by force.

Only what this member knows: what the peer confirmed and when it was last heard. Two owners deliver what both hold;
nothing is lost by it, since what both hold is merged.
"""

from __future__ import annotations

from replicator.core.authority import Ownership
from replicator.core.events import Settings
from replicator.core.journal import Journal
from replicator.core.peer import Peer


def of_promotion(settings: Settings, own: Ownership, peer: Peer, journal: Journal, now: int) -> str:
    """Say what it may cost that this member promotes, whatever the peer does. "" without a peer."""
    if settings.peer_node < 0:
        return ""
    them = f"node {settings.peer_node}"
    if own.is_granted_by_another:
        return f"force does not overrule the witness: it grants this node nothing while the lease of {them} runs"
    if own.has_heard_active(now):
        twice = f"{them} delivers until it hears of this: what it has in flight then may go out twice"
    else:
        twice = f"if {them} is active unheard, what both hold may go out twice until they hear of each other"
    return f"{twice}; {_missing(them, peer, journal)}"


def _missing(them: str, peer: Peer, journal: Journal) -> str:
    """Say what this member lacks, as far as it knows."""
    if not peer.is_known:
        return f"what {them} has beyond this node is not known, since it was not heard after the start here"
    count = peer.ahead_of(journal)
    if not count:
        return f"this node has every record that {them} had when it was last heard"
    return f"this node lacks {count} records of {them}: what they ended may go out again, what they brought waits"


def of_demotion(settings: Settings, peer: Peer, journal: Journal, *, is_heard: bool) -> str:
    """Say what it may cost that this member steps down. "": nothing that is known of."""
    if not is_heard:
        return "nobody delivers until a node is promoted; mail is accepted on, and waits"
    count = peer.lacks(journal)
    if not count:
        return ""
    return f"node {settings.peer_node} lacks {count} records: what they ended may go out again, what they brought waits"
