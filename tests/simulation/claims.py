"""Claims of the simulated runner, in the form of `mtad/runner/claims.py`; and what the world knows of them.

S11 has two parts here: a node leaves alone for T_claim, from when it took over, what the state that it holds says to
be another's; and what another was told that it holds, as long as nothing is written that joins above that claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from replicator.core.events import Answer
from replicator.core.values import Durability, PartValue
from tests.simulation.clock import Violation

if TYPE_CHECKING:
    from tests.simulation.machine import Machine

_CLAIM = b"claim of "


def claimed(value: PartValue, node: int, hlc: int, due: int) -> PartValue:
    """Return the state of a part that may have had its final dot: the same rank and attempts, due when that ends."""
    return value._replace(hlc=max(hlc, value.hlc + 1), due=due, data=_CLAIM + b"%d" % node)


def given_back(value: PartValue) -> PartValue:
    """Return the state of a part that surely had no final dot: due at once. It hides no claim later than this one."""
    return value._replace(hlc=value.hlc + 1, due=0, data=b"")


def claimant(value: PartValue) -> int | None:
    """Return the node whose claim is on a part; None: there is no claim."""
    return int(value.data[len(_CLAIM) :]) if value.data.startswith(_CLAIM) else None


def is_anothers(value: PartValue, node: int) -> bool:
    return claimant(value) not in (None, node)


class Told(NamedTuple):
    """A claim that another node confirmed before the final dot."""

    disk: int  # the number of the other store
    claim: PartValue


class Confirmed:
    """Which stores were told of which claims. what: an item and a part of it.

    Of what two nodes that own at once write of the same part, what is highest stands: one claim, or an outcome whose
    node had not heard of the claim. A claim that is given back hides none that is higher.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds  # T_claim, in ns; 0: nobody claims
        self._taken_over_at: dict[int, int] = {}  # by node, on its own clock
        self._told: dict[tuple[bytes, bytes], Told] = {}
        self._highest: dict[tuple[bytes, bytes], PartValue] = {}  # that is on any disk

    def taken_over(self, machine: Machine) -> None:
        """Note when a node became the owner, not from a pause of its own."""
        self._taken_over_at[machine.node] = machine.local.now()

    def written(self, what: tuple[bytes, bytes], value: PartValue) -> None:
        """Note a claim or an outcome that is durable somewhere."""
        if value.data:  # else it is one given back, which hides none but itself
            self._highest[what] = max(value, self._highest.get(what, value))

    def made(self, machine: Machine, what: tuple[bytes, bytes], claim: PartValue, answer: Answer) -> None:
        """Note how far a claim got before its final dot."""
        pair = machine.world.machines
        if answer.durability is Durability.REMOTE and machine in pair:
            self._told[what] = Told(pair[1 - machine.node].disk.number, claim)

    def given_back(self, machine: Machine, what: tuple[bytes, bytes]) -> None:
        told = self._told.get(what)
        if told is not None and claimant(told.claim) == machine.node:
            del self._told[what]

    def check(self, machine: Machine, what: tuple[bytes, bytes], *, is_damaged: bool) -> None:
        """S11: nobody begins what another node may just have delivered. Errors: Violation."""
        since = machine.local.now() - self._taken_over_at.get(machine.node, -self._seconds)
        if since >= self._seconds:
            return
        key, part = what
        if is_anothers(machine.disk.items[key].parts[part], machine.node):
            raise Violation("S11", f"node {machine.node} begins {what}, which another node claims")
        told = self._told.get(what)
        if told == Told(machine.disk.number, self._highest.get(what)) and not is_damaged:
            raise Violation("S11", f"node {machine.node} begins {what}, whose claim it had confirmed")
