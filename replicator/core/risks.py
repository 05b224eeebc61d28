"""What an operator's command may cost, in words: said when it is refused, and when it is done by force.

Only what this member knows: what the peer confirmed and when it was last heard. Two owners deliver what both hold;
nothing is lost by it, since what both hold is merged.
"""

from __future__ import annotations

from replicator.core.authority import OWNING, Ownership
from replicator.core.events import Settings
from replicator.core.journal import Journal
from replicator.core.neighbour import Neighbour
from replicator.core.peer import Peer
from replicator.core.status import Link
from replicator.core.values import SECOND


def of_promotion(settings: Settings, own: Ownership, peer: Peer, journal: Journal, now: int) -> str:
    """Say what it may cost that this member promotes, whatever the peer does. "" without a peer."""
    if settings.peer_node < 0:
        return ""
    them = settings.peer
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


def of_site_promotion(own: Ownership, members: dict[str, Neighbour], journal: Journal, now: int) -> tuple[str, str]:
    """Return why a site is not promoted without force, and what that may cost. ("", ""): it is.

    members   that it follows, by name
    """
    heard = {name: member for name, member in members.items() if member.link is Link.UP}
    lacks = sum(member.peer.ahead_of(journal) for member in members.values())
    behind = f"this site lacks {lacks} records that it knows of: what they ended may go out again, what they brought"
    waits = f"{behind} waits" if lacks else "this site has every record that it knows of"
    for name, member in heard.items():
        if member.peer.role in OWNING:
            risk = "it delivers until it hears of this: what it has in flight then may go out twice"
            return f"{name} is active: promote its peer there, or force", f"{risk}; {waits}"
    if not heard:
        since = max(member.heard_at for member in members.values())
        why = f"no member was heard for {(now - since) // SECOND} s: one may be active. Force, if none is"
        risk = "if one is, what both hold may go out twice until they hear of each other"
        return why, f"{risk}; what the members took since then is not known here; {waits}"
    if lacks:
        return f"members have {lacks} records that are not here yet: wait, or force", waits
    if own.has_heard_active(now):
        why = "a member was active a moment ago: wait until the other takes over, or force"
        return why, f"if it is still, what both hold may go out twice until they hear of each other; {waits}"
    return "", ""


def of_taking_back(name: str, site: Neighbour, journal: Journal) -> tuple[str, str]:
    """Return why a member does not take over from a promoted site without force, and what that may cost."""
    twice = f"what {name} has in flight, or ends before it hears of this, may go out twice"
    if site.link is not Link.UP:
        return f"site {name} was promoted and is not heard: it may be active. Force, if it is not", twice
    lacks = site.peer.ahead_of(journal)
    if lacks:
        return f"site {name} has {lacks} records that are not here yet: wait, or force", twice
    return "", ""


def of_refilling(settings: Settings, peer: Peer, journal: Journal, *, is_heard: bool) -> tuple[str, str]:
    """Return why a member does not begin anew with an empty store without force, and what that may cost."""
    them = settings.peer
    if not is_heard:
        why = f"{them} is not heard, and nobody else could fill the new store: force, if it will come"
        return why, "until it comes this node has nothing of its queue; what this node alone held is set aside"
    count = max(peer.lacks(journal), journal.seq - journal.own_durable)
    if count:
        why = f"{count} records of this node are not on both disks: wait, or force"
        return why, "what they brought or ended is set aside, and may be nowhere else"
    return "", ""


def of_demotion(settings: Settings, peer: Peer, journal: Journal, *, is_heard: bool) -> str:
    """Say what it may cost that this member steps down. "": nothing that is known of."""
    if not is_heard:
        return "nobody delivers until a node is promoted; mail is accepted on, and waits"
    count = peer.lacks(journal)
    if not count:
        return ""
    return f"{settings.peer} lacks {count} records: what they ended may go out again, what they brought waits"
