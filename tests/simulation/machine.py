"""One node: a process with a member in it, its disk, its inbox, and every way in which a process can stop.

It carries out effects in order, and may be killed between any two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from replicator.core.authority import STANDING_BY
from replicator.core.events import (
    Answer,
    AskWitness,
    CloseLink,
    Command,
    Commit,
    Drain,
    Event,
    Note,
    ReadItem,
    ReadLog,
    ReadSnapshot,
    Received,
    RoleChanged,
    Send,
    Settings,
    Stop,
    Submit,
    Tick,
    Told,
)
from replicator.core.member import Member
from replicator.core.messages import Beat, Handover, Hello
from replicator.core.values import Authority, Mode, Protection, Record, Role
from replicator.core.versions import VERSION_MAX
from tests.simulation.clock import MS, SECOND, Violation
from tests.simulation.disk import Disk
from tests.simulation.runner import Runner
from tests.simulation.versions import OLD
from tests.simulation.witness import LocalClock

if TYPE_CHECKING:
    from tests.simulation.network import Network
    from tests.simulation.world import World

TICK = 50 * MS
ALONE_WITHIN = 300 * MS  # an answer comes when nothing waits for a peer that was given up
SPARE = 200 * MS  # of a lease, for the final dot and its way
WALL_BASE_MS = 1_700_000_000_000
OWNER_ROLES = (Role.ACTIVE, Role.DRAINING)

Tell = Callable[[Answer | None], None]


class Machine:
    """A node: of the pair, or the site."""

    def __init__(self, world: World, node: int, settings: Settings) -> None:
        self.world = world
        self.clock = world.clock
        self.node = node
        self.settings = settings
        self.disk = Disk(world, self)
        self.runner = Runner(world, self)
        self.local = LocalClock(world.clock, is_exact=world.script.plan.authority is not Mode.WITNESS)
        self.incarnation = 0
        self.pid = 0  # of the living process; a number never given twice
        self.version = VERSION_MAX  # of the protocol, that the living process knows at most
        self.is_paused = False
        self.role = Role.PASSIVE
        self.disturbed_at = 0  # when something last kept the process from doing its work
        self.active_heard_at: int | None = None  # when word of an active last reached this process's socket
        self._word: tuple[int, int | None] = (0, None)  # of which session that was, and what the line above was before
        self.is_promoted_by_order = False  # it was an operator's order with which it began to promote last
        self.greeted_by = 0  # the incarnation of the peer that this process knows of
        self.commanded_at = self.handed_over_at = -(1 << 62)
        self.is_demoted = False  # by an operator, and nobody else has been the owner since
        self.stood_down: Authority | None = None  # as told; word of an active under a later grant has not come since
        self.is_ordered = False  # to promote, and has not stepped down since
        self.ordered_at = -1  # when it last claimed an epoch for that, where there is a site
        self._is_refused = False  # the command that was given last
        self.known = Authority(0, 0)  # the highest grant that this process brought to its disk
        self.abroad_at = -1  # when it last learnt that the site was promoted
        self.wall_skew_ms = 0
        self._room_told = 1000
        self._hybrid = 0
        self._inbox: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._asked: dict[int, Tell] = {}
        self.ends: tuple[tuple[Network, int], ...] = ()  # of the wires that lead to it
        self.gone_until = 0  # it does not start before
        self._crash_in = -1  # effects still to be carried out before the process dies
        self._is_to_be_wiped = False  # its disk dies with it
        self._carry: dict[type, Callable[[Any], None]] = {
            Commit: self.disk.append,
            Send: self._send,
            CloseLink: self._close_link,
            ReadLog: self.disk.read_log,
            ReadSnapshot: self.disk.read_snapshot,
            ReadItem: self.disk.read_item,
            Answer: self._answer,
            Told: self._told,
            RoleChanged: self._role_changed,
            Drain: lambda effect: self.runner.drain(effect.attempt),
            AskWitness: self._ask_witness,
            Note: self._note,
            Stop: lambda effect: self.crash(f"stopped: {effect.why}"),
        }

    @property
    def is_alive(self) -> bool:
        return self.pid != 0

    @property
    def is_answering(self) -> bool:
        return self.pid != 0 and not self.is_paused

    # --- the life of a process ----------------------------------------------------------------------------

    def start(self) -> None:
        if self.pid or self.clock.now < self.gone_until:
            return
        clock = self.clock
        self.pid = clock.number()
        self.version = OLD if clock.now < self.world.script.old_until[self.node] else VERSION_MAX
        self.role = Role.PASSIVE
        self.active_heard_at = None
        self.greeted_by = 0
        self.is_demoted = self.is_ordered = False
        self.stood_down = None
        self.known = self.disk.store.authority
        self.disturbed_at = clock.now
        self._inbox.clear()
        self._asked.clear()
        self._crash_in = -1
        self.is_paused = False
        self.disk.open()
        self.incarnation = incarnation = clock.chance.getrandbits(64)
        clock.note(self.node, "process starts", f"{incarnation:016x}")
        self.member = Member(self.settings, self.disk.image(), incarnation, self.local.now())
        self.world.truth.process_started(self)
        self.runner.begin()
        clock.after(clock.between(0, TICK), self._tick, self.pid)

    def crash(self, why: str, *, is_power_lost: bool = False) -> None:
        """End the process, here and now; what it had not carried out is never carried out."""
        if not self.pid:
            return
        clock = self.clock
        clock.note(self.node, "process ends", why)
        clock.counts["process ended"] += 1
        self.world.disturb()
        if self.role == Role.ACTIVE:
            self.world.expect_takeover(self.node)
        self.world.truth.process_ended(self)
        self.pid = 0
        self.is_paused = False
        self.local.go_on()
        self.disk.crash()
        self.runner.end()
        for network, end in self.ends:
            network.died(end, is_power_lost=is_power_lost)
        asked, self._asked = self._asked, {}
        for tell in asked.values():
            clock.after(MS, tell, None)
        clock.after(clock.between(50 * MS, self.world.restart_after_max), self.start)

    def go_away(self, duration: int) -> None:
        """End the process, and do not start another one for so long."""
        self.crash("gone for long", is_power_lost=True)
        self.gone_until = self.clock.now + duration
        self.clock.at(self.gone_until, self.start)

    def upgrade(self) -> None:
        """End a process of the older version; the one that starts in its place is of today's."""
        if self.version == OLD and not self.world.is_healed:
            self.clock.counts["upgraded"] += 1
            self.crash("upgraded")

    def crash_soon(self, effects: int, *, is_wiped: bool = False) -> None:
        """Die before carrying out the effect that comes after so many."""
        self._crash_in = effects
        self._is_to_be_wiped = is_wiped

    def pause(self, duration: int, *, is_clock_stopped: bool = False) -> None:
        """Let the process stand still; so may its clock, as a virtual machine's does while its host holds it."""
        if not self.is_answering:
            return
        if is_clock_stopped:
            self.local.stop()
        self.clock.note(self.node, "paused for ms", duration // MS)
        self.is_paused = True
        self.disturbed_at = max(self.disturbed_at, self.clock.now + duration)
        self.clock.after(duration, self._resume, self.pid)

    def _resume(self, pid: int) -> None:
        if pid != self.pid or not self.is_paused:
            return
        self.is_paused = False
        self.local.go_on()
        self.disturbed_at = max(self.disturbed_at, self.clock.now)
        self.world.disturb()
        self.clock.note(self.node, "goes on")
        inbox, self._inbox = self._inbox, []
        for act, arguments in inbox:
            if self.pid == pid:
                act(*arguments)
        if self.pid == pid:
            self._pass_time()

    def wake(self) -> None:
        self._resume(self.pid)

    def _tick(self, pid: int) -> None:
        if pid == self.pid:
            if not self.is_paused:
                self.disk.tell_damage()
                self._pass_time()
            self.clock.after(TICK, self._tick, pid)

    def _pass_time(self) -> None:
        self._room_told = self.disk.free_permille
        self.step(Tick(self.disk.free_permille))

    def has_told_room(self) -> bool:
        """Tell whether the member was last told that its disk has room."""
        return self._room_told == 1000

    # --- what reaches it ----------------------------------------------------------------------------------

    def hear(self, received: Received, *, is_standing: bool) -> None:
        """Take a message from the socket. What comes late from a link that is down is no word of anybody's state."""
        message = received.message
        if isinstance(message, Beat | Hello) and message.role in OWNER_ROLES and is_standing:
            self._word = received.session, self.active_heard_at
            self.active_heard_at = self.clock.now
            if self.stood_down is not None and message.authority > self.stood_down:
                self.stood_down = None
        if isinstance(message, Hello) and is_standing:
            self.greeted_by = message.incarnation
        if isinstance(message, Handover):
            self.do(self._named)
        self.take(received)

    def _named(self) -> None:
        self.handed_over_at = self.clock.now

    def take(self, event: Event) -> None:
        """Take an event now, or as soon as the process runs again."""
        self.do(self.step, event)

    def do(self, act: Callable[..., None], *arguments: Any) -> None:
        if self.is_paused:
            self._inbox.append((act, arguments))
        elif self.pid:
            act(*arguments)

    def later(self, delay: int, act: Callable[..., None], *arguments: Any) -> None:
        """Do something in this process after a while, if it lives so long."""
        self.clock.after(delay, self._if_alive, self.pid, act, *arguments)

    def _if_alive(self, pid: int, act: Callable[..., None], *arguments: Any) -> None:
        if pid == self.pid:
            self.do(act, *arguments)

    def step(self, event: Event) -> None:
        clock = self.clock
        now, node, log = clock.now, self.node, clock.log
        log.append((now, node, event))
        pid = self.pid
        for effect in self.member.step(self.local.now(), event):
            if self._crash_in >= 0:
                if self._crash_in == 0:
                    clock.counts["crash between effects"] += 1
                    self.crash("killed before " + type(effect).__name__, is_power_lost=clock.happens(0.5))
                    if self._is_to_be_wiped:
                        self.disk.wipe()
                    return
                self._crash_in -= 1
            log.append((now, node, effect))
            self._carry[type(effect)](effect)
            if self.pid != pid:
                return
        self.world.truth.stepped(self)

    # --- what the rest of the node asks of it --------------------------------------------------------------

    def submit(self, token: int, records: tuple[Record, ...], told: Tell, *, is_waited_for: bool = False) -> None:
        self._asked[token] = told
        if is_waited_for:
            is_alone = not self.is_paused and self.member.protection is Protection.DEGRADED
            patience = ALONE_WITHIN if is_alone else self.settings.ack_within + SECOND
            self.clock.after(patience, self._check_answered, token, self.clock.now)
        self.take(Submit(token, records, is_waited_for))

    def _check_answered(self, token: int, asked_at: int) -> None:
        """L5: every DATA is answered in time, unless this process was kept from its work."""
        is_disturbed = self.disturbed_at >= asked_at or self.disk.was_slow_since(asked_at)
        if token in self._asked and not is_disturbed:
            raise Violation("L5", f"node {self.node} leaves token {token} without an answer")

    def scrub(self) -> None:
        """Walk over the whole disk from time to time, for as long as there is damage to be found."""
        self.disk.scrub()
        self.clock.after(SECOND, self.scrub)

    def command(self, verb: str, *, is_forced: bool = False) -> None:
        self.do(self._command, Command(self.clock.number(), verb, is_forced))

    def _command(self, command: Command) -> None:
        self.commanded_at = self.clock.now
        was_owner, held = self.role in OWNER_ROLES, self.member.authority
        self.is_demoted = self.is_demoted and command.verb != "promote"
        was_ordered, self.is_ordered = self.is_ordered, self.is_ordered or command.verb == "promote"
        self._is_refused = False
        self.step(command)
        self.is_ordered = was_ordered if self._is_refused else self.is_ordered
        if command.verb == "demote" and was_owner and self.role == Role.PASSIVE:
            others = (machine for machine in self.world.machines if machine is not self)
            self.is_demoted = not any(machine.role in OWNER_ROLES for machine in others)
            self.stood_down = held
            self.clock.counts["demoted"] += 1

    def waits_for_operator(self) -> bool:
        """Tell whether this member does not promote itself, whoever is silent."""
        own = self.member._ownership
        return self.settings.authority is Mode.MANUAL or own.is_held_back or own.is_abroad

    def wall_ms(self) -> int:
        return WALL_BASE_MS + self.clock.now // MS + self.wall_skew_ms

    def hybrid_ms(self) -> int:
        self._hybrid = max(self._hybrid + 1, self.wall_ms())
        return self._hybrid

    # --- effects ------------------------------------------------------------------------------------------

    def _send(self, effect: Send) -> None:
        for network, end in self.ends:  # the one that knows the session carries it
            network.send(end, effect.session, effect.message)

    def _close_link(self, effect: CloseLink) -> None:
        for network, end in self.ends:
            network.closed_by(end, effect.session)

    def may_deliver(self) -> bool:
        """Ask as a delivery asks before its final dot: is there authority, and enough time to use it?"""
        return self.member.is_owner_at(self.local.now(), SPARE)

    def _ask_witness(self, effect: AskWitness) -> None:
        if self.world.witness is not None:
            self.world.witness.ask(self, effect.request)

    def _answer(self, answer: Answer) -> None:
        self.world.truth.answered(self, answer)
        tell = self._asked.pop(answer.token)
        tell(answer)

    def _told(self, told: Told) -> None:
        self._is_refused = not told.is_done
        self.clock.counts["command done" if told.is_done else "command refused"] += 1

    def _role_changed(self, changed: RoleChanged) -> None:
        before, self.role = self.role, changed.role
        self.is_ordered = self.is_ordered and changed.role not in STANDING_BY
        if changed.role == Role.PROMOTING:
            self.stood_down = None
            self.is_promoted_by_order = self.commanded_at == self.clock.now
        self.world.truth.role_changed(self, before, changed)
        self.runner.role_changed(changed)

    def _note(self, note: Note) -> None:
        self.clock.counts[f"note {note.name}"] += 1
        if note.name == "replica.lost":
            self.world.truth.told_lost(self, str(dict(note.fields)["key"]))
        if note.name == "replica.refused" and self.settings.authority is Mode.WITNESS:
            self._unheard(dict(note.fields)["session"])

    def _unheard(self, session: object) -> None:
        """Forget the word of one whom this member refuses. What keeps owners apart here is the witness, not silence."""
        of, before = self._word
        if session == of:
            self.active_heard_at = before
