"""Carries out an operator's order to fill this node's store again from its peer.

Two ways. What differs is fetched: what is missing here comes, and a state that the peer has further is taken; nothing
that is here goes. Or the store is set aside and the peer fills an empty one, as it does after the loss of a disk.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from replicator.core.compare import Comparison, Difference
from replicator.core.values import DOUBTED, LACKING, Damage
from replicator.status import NodeStatus, Told

STANDING_BY = frozenset({"passive", "rejoining"})
TRIES = 20  # while what was accepted here a moment ago is on its way to both disks
TRY_SECONDS = 0.1
_FETCHED = {"only there": LACKING, "state": DOUBTED}
_AT_RISK = {
    "only here": "only here",
    "state": "in another state",
    "damaged there": "damaged there",
}


class Resynced(NamedTuple):
    """What came of it."""

    refused: str = ""  # why nothing was done; "" when it was
    risk: str = ""  # what it may cost; of what was refused, what it would by force
    compared: Comparison = Comparison()  # at the end; of a store that was set aside, before
    fetched_count: int = 0  # differences that are no more
    set_aside: str = ""  # the folder of what was here


class Resyncable(Protocol):
    """What is needed of a node."""

    def status(self) -> NodeStatus: ...

    async def verify(self) -> Comparison: ...

    async def command(self, verb: str, *, force: bool = False) -> Told: ...

    def doubt(self, damages: tuple[Damage, ...]) -> None: ...

    def no_room(self) -> str: ...


async def fetch(node: Resyncable, *, force: bool) -> Resynced:
    """Compare, fetch what the peer has otherwise, and compare again."""
    if node.status().peer.state == "none":
        return Resynced("this node has no peer to fetch from")
    if node.status().role not in STANDING_BY and not force:
        risk = "what the peer has not heard the end of would go out again"
        return Resynced("this node delivers from the queue: give the order to its peer", risk)
    before = await node.verify()
    if before.why or not before.differences:
        return Resynced(before.why, compared=before)
    wanted = tuple(Damage(_FETCHED[what], key) for key, what in before.differences if what in _FETCHED)
    node.doubt(wanted)
    after = await node.verify()
    fetched = frozenset(key for _, key in wanted).difference(each.key for each in after.differences)
    return Resynced(after.why, compared=after, fetched_count=len(fetched))


async def refill(node: Resyncable, *, force: bool) -> Resynced:
    """Set the store aside and begin an empty one, when the peer has all that is here."""
    problem = node.no_room()
    if problem:
        return Resynced(problem)
    compared = await node.verify()
    at_risk = _at_risk(compared.differences)
    if at_risk and not force and node.status().role in STANDING_BY:
        return Resynced(f"{at_risk}: look there first, or force", "what the peer has not is set aside", compared)
    told = await node.command("refill", force=force)
    for _ in range(TRIES):
        if told.is_done or not told.risk or node.status().peer.state != "up":
            break
        await asyncio.sleep(TRY_SECONDS)
        told = await node.command("refill", force=force)
    if not told.is_done:
        return Resynced(told.text, told.risk, compared)
    return Resynced("", "; ".join(filter(None, (told.risk, at_risk))), compared, set_aside=told.text)


def _at_risk(differences: Iterable[Difference]) -> str:
    """Say of how much the peer has not what is here; "" when it has all, as far as it can be asked."""
    counted = Counter(what for _, what in differences)
    counts = ", ".join(f"{counted[what]} {meant}" for what, meant in _AT_RISK.items() if counted[what])
    return f"the peer does not hold all that is here ({counts})" if counts else ""
