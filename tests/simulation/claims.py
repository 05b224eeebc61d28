"""Claims of the simulated runner, in the form of `mtad/runner/claims.py`; and what the world knows of them.

S11 has two parts here: a node leaves alone for T_claim, from when it took over, what the state that it holds says to
be another's; and what the other was told that it holds, whatever its state says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.events import Answer
from replicator.core.values import Durability, PartValue
from tests.simulation.clock import Violation

if TYPE_CHECKING:
    from tests.simulation.machine import Machine

_CLAIM = b"claim of "


def claimed(value: PartValue, node: int, hlc: int, due: int) -> PartValue:
    """Return the state of a part that may have had its final dot: the same rank and attempts, due when that ends."""
    return value._replace(hlc=max(hlc, value.hlc + 1), due=due, data=_CLAIM + b"%d" % node)


def given_back(value: PartValue, hlc: int) -> PartValue:
    """Return the state of a part that surely had no final dot: due at once."""
    return value._replace(hlc=max(hlc, value.hlc + 1), due=0, data=b"")


def claimant(value: PartValue) -> int | None:
    """Return the node whose claim is on a part; None: there is no claim."""
    return int(value.data[len(_CLAIM) :]) if value.data.startswith(_CLAIM) else None


def is_anothers(value: PartValue, node: int) -> bool:
    return claimant(value) not in (None, node)


class Confirmed:
    """Which stores were told of which claims. what: an item and a part of it.

    Of two nodes that own at once and claim the same part, one claim stands: the later one, or its giving back. So a
    part is judged by what its one claimant told, until an outcome ends that.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds  # T_claim, in ns; 0: nobody claims
        self._taken_over_at: dict[int, int] = {}  # by node, on its own clock
        self._told: dict[tuple[bytes, bytes], int] = {}  # the number of the other store, which confirmed it
        self._claimants: dict[tuple[bytes, bytes], set[int]] = {}  # nodes, since the last outcome

    def taken_over(self, machine: Machine) -> None:
        """Note when a node became the owner, not from a pause of its own."""
        self._taken_over_at[machine.node] = machine.local.now()

    def asked_for(self, machine: Machine, what: tuple[bytes, bytes]) -> None:
        self._claimants.setdefault(what, set()).add(machine.node)

    def made(self, machine: Machine, what: tuple[bytes, bytes], answer: Answer) -> None:
        """Note how far a claim got before its final dot."""
        pair = machine.world.machines
        is_told = answer.durability is Durability.REMOTE and machine in pair
        self._told[what] = pair[1 - machine.node].disk.number if is_told else 0

    def given_back(self, what: tuple[bytes, bytes]) -> None:
        self._told.pop(what, None)

    def ended(self, what: tuple[bytes, bytes]) -> None:
        """Note that an outcome is written, which stands above every claim."""
        self._told.pop(what, None)
        self._claimants.pop(what, None)

    def check(self, machine: Machine, what: tuple[bytes, bytes], *, is_damaged: bool) -> None:
        """S11: nobody begins what another node may just have delivered. Errors: Violation."""
        since = machine.local.now() - self._taken_over_at.get(machine.node, -self._seconds)
        if since >= self._seconds:
            return
        key, part = what
        if is_anothers(machine.disk.items[key].parts[part], machine.node):
            raise Violation("S11", f"node {machine.node} begins {what}, which another node claims")
        is_told = self._told.get(what) == machine.disk.number and len(self._claimants.get(what, ())) == 1
        if is_told and not is_damaged:
            raise Violation("S11", f"node {machine.node} begins {what}, whose claim it had confirmed")
