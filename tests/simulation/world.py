"""One history: two machines, their link, disks, clients, next hops and operator, and a plan of what goes wrong."""

from __future__ import annotations

from typing import Any

from replicator.core.events import Remote, Settings
from replicator.core.values import Mode, Role
from tests.simulation import faults
from tests.simulation.agreement import Agreement
from tests.simulation.clients import Clients
from tests.simulation.clock import MS, SECOND, Chance, Clock, Violation
from tests.simulation.faults import operators
from tests.simulation.machine import Machine
from tests.simulation.network import Network
from tests.simulation.ranks import BOUNCED, DEFERRED, DELIVERED
from tests.simulation.script import FOREVER, Script
from tests.simulation.shelf import MODEL, SHELVES, Shelf
from tests.simulation.site import SITE, Site
from tests.simulation.truth import Truth
from tests.simulation.witness import WitnessHost

SETTLE_MAX = 60 * SECOND
ASK_AFTER = 500 * MS
TAKEN_BACK_WITHIN = 20 * SECOND  # from the site: it comes back, is believed, ships what it has; an operator sees it


class World:
    """Everything of one history. store: the kind of its stores, as in SHELVES."""

    def __init__(self, script: Script, store: str = MODEL) -> None:
        self.script = script
        self.shelf: Shelf = SHELVES[store]()
        self.clock = clock = Clock(script.noise)
        self.network = Network(clock)
        self.bounds = bounds = script.bounds
        self.witness = WitnessHost(self, bounds.lease) if bounds.lease else None
        self.site: Site | None = None
        self.machines: list[Machine] = []  # of the pair
        self.everybody: list[Machine] = []
        self.truth = Truth(clock, self.machines, self.everybody, bounds.claim)
        self.agreement = Agreement(self.truth)
        for node in (0, 1):
            self.machines.append(Machine(self, node, self._settings(node)))
        self.network.join(*self.machines)
        self.everybody += self.machines
        if bounds.abroad is not None:
            self.site = Site(self)
            self.everybody.append(self.site.machine)
        self.clients = Clients(self)
        self.disturbances = 0
        self.is_healed = False
        self.restart_after_max = 1_500 * MS
        self._single_since = -1
        self._owner: tuple[int, ...] = ()

    def _settings(self, node: int) -> Settings:
        bounds, plan = self.bounds, self.script.plan
        return Settings(
            group="simulated",
            node=node,
            name=f"node{node}",
            peer_node=1 - node,
            promote_after=bounds.promote_after,
            ack_within=bounds.ack_within,
            accept_alone=bounds.accept_alone,
            level=plan.level,
            authority=plan.authority,
            beat=plan.beat,
            lease=bounds.lease,
            ask_after=ASK_AFTER,
            gathered_octets_max=bounds.gathered_octets_max,
            full_below_permille=50,
            **self._for_a_site(),
        )

    def _for_a_site(self) -> dict[str, Any]:
        abroad = self.bounds.abroad
        if abroad is None:
            return {}
        sites = (Remote(SITE, "site", abroad.delay),)
        return {"sites": sites, "feed_after": abroad.feed_after, "site_silence": abroad.silence}

    # --- whom a fault strikes --------------------------------------------------------------------------------

    def any_of(self, chance: Chance) -> Machine:
        return self.machines[chance.randrange(2)]

    def owner_or_any(self, chance: Chance) -> Machine:
        for machine in self.machines:
            if machine.role == Role.ACTIVE and machine.is_alive:
                return machine
        return self.any_of(chance)

    # --- wires one by one -----------------------------------------------------------------------------------

    @property
    def wires(self) -> tuple[tuple[str, int], ...]:
        """Name every wire: of a pair each direction, and each node's to the witness."""
        pair = (("pair", 0), ("pair", 1))
        return pair if self.witness is None else (*pair, ("witness", 0), ("witness", 1))

    def clog(self, wire: str, node: int) -> None:
        if self.is_healed:
            return
        self.disturb()
        if wire == "pair":
            self.network.cut((node,))
        elif self.witness is not None:
            self.witness.is_cut[node] = True

    def unclog(self, wire: str, node: int) -> None:
        self.disturb()
        if wire == "pair":
            self.network.mend(node)
        elif self.witness is not None:
            self.witness.is_cut[node] = False

    # --- chance -------------------------------------------------------------------------------------------

    @property
    def are_replies_lost(self) -> bool:
        return self.script.are_hops_fickle and not self.script.plan.is_calm and not self.is_healed

    def happens(self, probability: float) -> bool:
        """Tell whether some trouble comes that only a history with trouble knows, before it is healed."""
        return self.are_replies_lost and self.clock.happens(probability)

    def next_hop_says(self, *, is_notification: bool) -> int:
        if self.is_healed or not self.script.are_hops_fickle:
            return DELIVERED
        draw = self.clock.chance.random()
        if draw < 0.2:
            return DEFERRED
        return BOUNCED if draw < 0.3 and not is_notification else DELIVERED

    def disturb(self) -> None:
        self.disturbances += 1

    def expect_takeover(self, node: int) -> None:
        """L2: after an owner's end there is an owner again, if nothing else goes wrong meanwhile.

        Not where the other was demoted, and the owner ended before word of it came: the operator's order stands.
        What it had asked of the witness may come after its end, and renew its lease: the time runs from there.
        """
        is_ordered_away = self.site is not None and self.site.was_promoted
        if self.script.plan.authority is Mode.MANUAL or is_ordered_away or node == SITE:
            return
        other = self.machines[1 - node]
        is_hindered = self.network.extra_delay_max or self.clock.now < other.disk.slow_until
        is_hindered = is_hindered or (self.witness is not None and not self.witness.helps(other.node))
        if other.stood_down is not None:
            self.clock.counts["owner ended unheard by a demoted one"] += 1
        elif other.role == Role.PASSIVE and other.is_answering and self.network.is_standing and not is_hindered:
            self.clock.after(self._takeover_within, self._check_takeover, self.clock.now, self.disturbances)

    @property
    def _takeover_within(self) -> int:
        silence = self.bounds.promote_after if self.witness is None else self.bounds.lease + ASK_AFTER
        return silence + 1_500 * MS

    def _check_takeover(self, since: int, disturbances: int) -> None:
        if self.disturbances != disturbances or any(machine.role == Role.ACTIVE for machine in self.machines):
            return
        renewed_at = since if self.witness is None else self.witness.renewed_late_at
        if renewed_at <= since:
            raise Violation("L2", f"no owner since {since // MS} ms, and nothing hinders one")
        self.clock.counts["excused: the lease of an ended owner was renewed by what came late"] += 1
        self.clock.at(renewed_at + self._takeover_within, self._check_takeover, renewed_at, disturbances)

    # --- the course of a history --------------------------------------------------------------------------

    def run(self) -> None:
        """Play the history to its end, once. Errors: Violation."""
        try:
            self._play()
        finally:
            self.shelf.close()

    def _play(self) -> None:
        clock, script = self.clock, self.script
        for machine in self.machines:
            machine.start()
        for strike in script.strikes:
            self._prepare(*strike)
        self.network.start()
        if self.site is not None:
            self.site.start()
        clock.after(500 * MS, self._check_honesty)
        self.clients.plan(script.postings)
        for deed in script.deeds:
            clock.at(deed.when, faults.inject, self, deed.name, deed.seed)
        for machine in self.machines:
            if 0 < script.old_until[machine.node] < FOREVER:
                clock.at(script.old_until[machine.node], machine.upgrade)
        for backup in script.backups:
            clock.at(backup.when, self.machines[backup.node].disk.back_up)
        clock.run(lambda: clock.now >= script.trouble)
        self._heal()
        healed_at = clock.now
        deadline = healed_at + SETTLE_MAX
        # one owner, within the time of a start, a link, a silence, a stagger and the promotion itself
        one_owner_by = healed_at + self.restart_after_max + self.bounds.promote_after + 4 * SECOND
        if self.witness is not None:
            one_owner_by += (
                3 * self.bounds.lease
            )  # of what a dead process held, of what is held back for an heir, of a start
        if self.site is not None and self.site.was_promoted:
            one_owner_by += TAKEN_BACK_WITHIN
        clock.after(250 * MS, self._look, one_owner_by)
        clock.run(lambda: self._is_settled or clock.now > deadline)
        self.agreement.check_end()
        self._check_calm()

    _is_settled = False

    def _prepare(self, kind: str, node: int, number: int) -> None:
        """Get ready for one exact fault of a sweep."""
        if node < 0:
            self.network.strikes[number] = kind
        else:
            self.machines[node].crash_soon(number, is_wiped=kind == "wipe")

    def _heal(self) -> None:
        self.clock.note("-", "all faults end")
        self.is_healed = True
        self.network.heal()
        self.clients.is_cut = [False, False, False]
        if self.witness is not None:
            self.witness.heal()
        if self.site is not None:
            self.site.heal()
        for machine in self.everybody:
            machine.gone_until = 0
            machine.disk.repair()
            machine.crash_soon(-1)
            machine.wake()
            machine.start()
            machine.scrub()
        operators.release_all(self)
        self.clock.after(self.restart_after_max, operators.promote_one, self)

    def _check_honesty(self) -> None:
        for machine in self.machines:
            self.truth.check_honesty(machine)
        self.agreement.check()
        self.clock.after(500 * MS, self._check_honesty)

    def _look(self, one_owner_by: int) -> None:
        """L4: one owner, and it stays. Then: is there anything left to wait for?"""
        clock = self.clock
        owners = tuple(machine.node for machine in self.everybody if machine.role == Role.ACTIVE)
        if clock.now >= one_owner_by and (len(owners) != 1 or (self._owner and owners != self._owner)):
            raise Violation(
                "L4", f"owners {owners} (before: {self._owner}) at {clock.now // MS} ms, long after the heal"
            )
        if owners != self._owner:
            self._owner, self._single_since = owners, clock.now
        disks = [machine.disk for machine in self.everybody]
        is_left = any(self.agreement.owed(machine) for machine in self.everybody)
        is_left = is_left or any(self.agreement.owed_of_away(disk.away) for disk in disks)
        are_equal = all(disk.vector == disks[0].vector for disk in disks)
        is_quiet = self.clients.are_content and not is_left and are_equal
        is_home = owners in ((0,), (1,))
        self._is_settled = is_quiet and is_home and clock.now - self._single_since >= SECOND
        clock.after(250 * MS, self._look, one_owner_by)

    def _check_calm(self) -> None:
        """S11: nothing is delivered twice where nothing failed. Clients come to their end everywhere."""
        if not self.clients.are_content:
            raise Violation("L5", "a client was never told 250, long after the heal")
        if self.script.plan.is_calm and self.clock.counts["duplicate"]:
            raise Violation("S11", "a duplicate in a calm history")
