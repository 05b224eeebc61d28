"""A site: a third store across a WAN that follows the pair, what joins it to them, and what holds of it alone.

It takes no mail, and owns by an operator's order only. Numbers of invariants go on from those of the truth:

S18  no member promotes itself while the last grant that it knows of is the site's
S19  the site owns by an operator's order alone, which its disk keeps, and until the next one at home
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.authority import STANDING_BY
from replicator.core.events import Received, Remote, RoleChanged, Settings
from replicator.core.messages import Message, Records, SnapshotBegin
from replicator.core.values import Authority, Kind, Mode, Role
from tests.simulation.clock import MS, SECOND, Violation
from tests.simulation.lives import Life, is_pending
from tests.simulation.machine import OWNER_ROLES, Machine
from tests.simulation.network import Network

if TYPE_CHECKING:
    from tests.simulation.world import World

SITE = 2
MEMBER_END, SITE_END = 0, 1


class Wan(Network):
    """The wire between a member and the site: slow, and no witness of who lives at home."""

    latency = (10 * MS, 60 * MS)

    def send(self, sender: int, session: int, message: Message) -> None:
        link = self.link
        if link is not None and link.sessions[sender] == session:
            (self._count_home if sender == SITE_END else self._count_out)(message)
        super().send(sender, session, message)

    def _count_out(self, message: Message) -> None:
        counts, member = self.clock.counts, self.machines[MEMBER_END]
        if isinstance(message, SnapshotBegin):
            counts["site fed by a snapshot"] += 1
        elif isinstance(message, Records):
            counts["site fed by an active" if member.role is Role.ACTIVE else "site fed by a passive"] += 1
            if any(record.kind is Kind.VOID for record in message.records):
                is_delayed = any(site.delay for site in member.settings.sites)
                counts["site spared what was finished within its delay"] += is_delayed

    def _count_home(self, message: Message) -> None:
        is_of_another = isinstance(message, Records) and message.branch.node != SITE
        if isinstance(message, SnapshotBegin) or is_of_another:
            who = "a promoted site ships" if self.machines[SITE_END].role in OWNER_ROLES else "a site sends home"
            self.clock.counts[f"{who} what others wrote"] += 1

    def _hand_over(self, machine: Machine, received: Received, *, is_standing: bool) -> None:
        machine.take(received)


class Site:
    """The machine at the site and its two wires."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = world.clock
        self.machine = Machine(world, SITE, self._settings())
        self.wans = (Wan(world.clock), Wan(world.clock))  # by member
        for member, wan in zip(world.machines, self.wans, strict=True):
            wan.join(member, self.machine)
        self.was_promoted = False  # ever in this history
        self.store = self.machine.disk.number  # that it began with

    def _settings(self) -> Settings:
        bounds, plan = self.world.bounds, self.world.script.plan
        assert bounds.abroad is not None
        return Settings(
            group="simulated",
            node=SITE,
            name="site",
            peer_node=-1,
            level=plan.level,
            authority=Mode.MANUAL,
            beat=plan.beat,
            gathered_octets_max=bounds.gathered_octets_max,
            full_below_permille=50,
            follows=(Remote(0, "node0"), Remote(1, "node1")),
            site_silence=bounds.abroad.silence,
            feed_after=bounds.abroad.feed_after,
        )

    # --- its life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        self.machine.start()
        for wan in self.wans:
            wan.start()

    def heal(self) -> None:
        for wan in self.wans:
            wan.heal()

    def promote(self, *, is_forced: bool) -> None:
        """Let an operator promote it."""
        if self.machine.is_answering:
            self.was_promoted = True
            self.machine.command("promote", is_forced=is_forced)

    # --- what must hold -----------------------------------------------------------------------------------

    def was_spared(self, life: Life) -> bool:
        """Tell whether it has got past an item that it does not hold."""
        disk = self.machine.disk
        is_past = disk.vector.get(life.put.branch, 0) >= life.put.seq
        return is_past and life.key not in disk.items and life.key not in disk.away

    def role_changed(self, before: Role, changed: RoleChanged) -> None:
        machine = self.machine
        if changed.role == Role.PROMOTING:
            is_ordered = machine.commanded_at == self.clock.now or machine.disk.store.authority.node == SITE
            if not is_ordered:
                raise Violation("S19", "the site promotes itself, and no operator told it to")
        elif changed.role == Role.ACTIVE:
            self.clock.counts["site promoted"] += 1
            if any(is_pending(item) for item in machine.disk.items.values()):
                self.clock.counts["site promoted with pending mail"] += 1
        elif before in OWNER_ROLES:
            self.clock.counts["site taken back home"] += 1
            self._check_order_at_home()

    def _check_order_at_home(self) -> None:
        """S19: an operator at home came after the one who promoted the site.

        A site that lost its disk does not know what its order has to outrank.
        """
        machine, members = self.machine, self.world.machines
        is_ordered_at_home = any(member.ordered_at > machine.ordered_at for member in members)
        is_unfit = machine.member._ownership.is_unfit
        if not is_ordered_at_home and not is_unfit and machine.disk.number == self.store:
            raise Violation("S19", "the site gives up what an operator gave to it, and no operator took it back")

    def learnt(self, machine: Machine, known: Authority, authority: Authority) -> None:
        """S18: a member that knows of the site's grant claims another by an operator's order, or by its peer's.

        The peer knew of the site's, too, if it handed over after that. One that stands by claims nothing: after a
        disk's loss a member may be told of what itself once claimed.
        """
        if authority.node == SITE:
            machine.abroad_at = self.clock.now
        if authority.node != machine.node or machine.role in STANDING_BY:
            return
        is_handed_over = machine.handed_over_at >= max(machine.abroad_at, self.clock.now - SECOND)
        if machine.is_ordered:
            machine.ordered_at = self.clock.now
        elif machine is not self.machine and known.node == SITE and not is_handed_over:
            raise Violation("S18", f"node {machine.node} takes back what an operator gave to the site")
