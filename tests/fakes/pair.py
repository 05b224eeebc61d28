"""Two members, two model stores and a wire between them, moved by hand: for dialogs that a reader can follow.

Everything that can happen at once happens at once; time passes in `run` alone. The simulator is the place for chance.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

from replicator.core.events import (
    Answer,
    AskWitness,
    BeginEmpty,
    CloseLink,
    Command,
    Commit,
    CommitFailed,
    Damaged,
    Drain,
    Drained,
    Effect,
    Event,
    LinkDown,
    LinkUp,
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
    WitnessSaid,
)
from replicator.core.grants import Request
from replicator.core.member import Member
from replicator.core.messages import Hello, Message
from replicator.core.values import MILLISECOND, Dot, Durability, Kind, Mode, PartValue, Record, Role
from replicator.core.versions import MESSAGES, VERSION_MAX
from replicator.core.witness import NO_GRANT, Grant, Keep, Requested, Witness
from tests.fakes.model_store import ModelStore

TERMINAL = 2
TICK_MS = 10


def put(key: str, blob: bytes = b"content") -> Record:
    """Return a PUT of an item with one part that waits."""
    return Record(Kind.PUT, key.encode(), parts=((b"part", PartValue(0, 0, 0, 0, b"")),), meta=b"meta", blob=blob)


def part(key: str, put: Dot, rank: int, hlc: int = 1) -> Record:
    """Return a rise of that part."""
    return Record(Kind.PART, key.encode(), put, ((b"part", PartValue(rank, 1, hlc, 0, b"")),))


class Surroundings(ABC):
    """What is around some members: time, links, perhaps a witness, and whatever else happens."""

    sides: tuple[Side, ...]

    def __init__(self) -> None:
        self.now = 1_000_000 * MILLISECOND
        self.session = 0
        self.events: deque[tuple[Side, Event]] = deque()
        self.witness: Witness | None = None
        self.cut_from_witness: set[int] = set()  # nodes
        self.grants: list[Grant] = []  # that the witness made durable

    @abstractmethod
    def close(self, session: int) -> None:
        """Let one side end a link."""

    @abstractmethod
    def died(self, side: Side) -> None:
        """Let the links of a side break with it."""

    @abstractmethod
    def carry(self, sender: Side, session: int, message: Message) -> None:
        """Bring a message to the other end of its link, if that stands."""

    def carry_to_witness(self, sender: Side, request: Request) -> None:
        """Have the witness answer at once, if there is one and it can be reached."""
        if self.witness is None or sender.node in self.cut_from_witness:
            return
        for effect in self.witness.step(self.now, Requested(0, request)):
            if isinstance(effect, Keep):
                self.grants.append(effect.grant)
            elif effect.reply is not None:
                self.events.append((sender, WitnessSaid(effect.reply)))

    def settle(self) -> None:
        """Let everything happen that can without time passing."""
        for _ in range(100_000):
            if self.events:
                side, event = self.events.popleft()
                if side.is_up and side.stopped is None:
                    side.step(event)
            elif not any([side.work_disk() for side in self.sides]):
                return
        raise AssertionError("it never comes to rest")

    def run(self, milliseconds: int) -> None:
        """Let time pass."""
        for _ in range(0, milliseconds, TICK_MS):
            self.now += TICK_MS * MILLISECOND
            for side in self.sides:
                if side.is_up and side.stopped is None:
                    side.step(Tick())
            self.settle()


class Side:
    """One member with its store, and all that it asked of its driver."""

    def __init__(self, pair: Surroundings, node: int, settings: Settings, log_records_max: int = 1 << 30) -> None:
        self.pair = pair
        self.node = node
        self.settings = settings
        self.log_records_max = log_records_max
        self.store = self.new_store(b"store %d" % node)
        self.incarnation = 0
        self.answers: dict[int, Answer] = {}
        self.told: dict[int, Told] = {}
        self.roles: list[Role] = []
        self.notes: list[Note] = []
        self.sent: list[Message] = []
        self.closed: list[str] = []
        self.stopped: str | None = None
        self.is_up = True
        self.is_disk_stuck = False
        self.is_drain_answered = True
        self.waiting: list[Commit] = []  # not begun on the disk
        self.tokens = 0
        self.start()

    def new_store(self, store_id: bytes) -> ModelStore:
        return ModelStore(store_id, TERMINAL, self.log_records_max)

    def start(self) -> None:
        """Start a member from what the store holds, as a new incarnation."""
        self.incarnation += 1
        self.waiting.clear()
        self.stopped = None
        self.is_up = True
        image = self.store.image()
        self.member = Member(self.settings, image, 1000 * self.node + self.incarnation, self.pair.now)

    def crash(self, *, is_in_flight_durable: bool = False) -> None:
        """End at once; the transaction in flight is lost, or became durable unseen."""
        if is_in_flight_durable:
            self.begin()
            if self.store.in_flight:
                self.store.complete()
        self.store.lose()
        self.waiting.clear()
        self.is_up = False
        self.pair.died(self)

    # --- what a test does -----------------------------------------------------------------------------------

    def submit(self, *records: Record, wait: bool = True) -> int:
        """Submit, and let everything happen that then can. Return the token."""
        self.tokens += 1
        self.step(Submit(self.tokens, records, wait))
        self.pair.settle()
        return self.tokens

    def accept(self, key: str, blob: bytes = b"content") -> Dot:
        """Submit a new item. Return the dot of its PUT."""
        self.submit(put(key, blob))
        return self.dot()

    def dot(self) -> Dot:
        """The dot of the record that this member wrote last."""
        return Dot(self.member.own, self.member._journal.seq)

    def answer(self, token: int | None = None) -> Durability | None:
        """How the latest Submit (or that one) was answered; None: it waits."""
        answer = self.answers.get(token or self.tokens)
        return answer.durability if answer else None

    def command(self, verb: str, *, force: bool = False) -> int:
        self.tokens += 1
        self.step(Command(self.tokens, verb, force))
        self.pair.settle()
        return self.tokens

    @property
    def keys(self) -> list[str]:
        return sorted(key.decode() for key in self.store.items)

    # --- the driver -----------------------------------------------------------------------------------------

    def step(self, event: Event) -> None:
        for effect in self.member.step(self.pair.now, event):
            self.do(effect)

    def do(self, effect: Effect) -> None:
        match effect:
            case Commit():
                self.waiting.append(effect)
            case Send(session, message):
                self.sent.append(message)
                self.pair.carry(self, session, message)
            case CloseLink(session, why):
                self.closed.append(why)
                self.pair.close(session)
            case ReadLog() | ReadItem() | ReadSnapshot():
                self.pair.events.extend((self, told) for told in self.read(effect))
            case Answer(token):
                assert token not in self.answers, "one answer each"
                self.answers[token] = effect
            case Told(token):
                self.told[token] = effect
            case RoleChanged(role):
                self.roles.append(role)
            case Drain(attempt):
                if self.is_drain_answered:
                    self.pair.events.append((self, Drained(attempt)))
            case AskWitness(request):
                self.pair.carry_to_witness(self, request)
            case Note():
                self.notes.append(effect)
            case BeginEmpty(token, risk):
                self.crash()
                self.store = self.new_store(self.store.image().store_id)
                self.start()
                self.told[token] = Told(token, True, "set aside", risk)
            case Stop(why):
                self.stopped = why

    def read(self, effect: ReadLog | ReadItem | ReadSnapshot) -> Sequence[Event]:
        """Answer a read; what it found damaged is told behind."""
        match effect:
            case ReadLog():
                told: list[Event] = [self.store.read_log(effect)]
            case ReadItem():
                told = [self.store.read_item(effect)]
            case ReadSnapshot():
                told = [*self.store.read_snapshot(effect)]
        found, self.store.found = tuple(self.store.found), []
        return [*told, Damaged(found)] if found else told

    def begin(self) -> None:
        if self.waiting and not self.store.in_flight:
            self.store.begin(*self.waiting)
            self.waiting = []

    def work_disk(self) -> bool:
        """Make durable what waits, unless the disk is stuck. Tell whether there was anything."""
        if not self.is_up or self.is_disk_stuck or self.stopped is not None:
            return False
        self.begin()
        if not self.store.in_flight:
            return False
        self.step(self.store.complete())
        return True

    def fail_disk(self) -> None:
        """Let the transaction that waits fail."""
        self.begin()
        ticket = self.store.in_flight[0].ticket
        self.store.lose()
        self.step(CommitFailed(ticket, "disk full"))


class Pair(Surroundings):
    """Nodes 0 and 1 of one group."""

    def __init__(self, *, settings: dict[str, object] | None = None, log_records_max: int = 1 << 30) -> None:
        super().__init__()
        self.is_linked = False
        self.version_max = VERSION_MAX  # that both say they know
        self.is_wire_cut = False  # nothing gets through, and nobody is told
        self.loses: tuple[type, ...] = ()  # kinds of messages that the wire loses
        chosen = settings or {}
        self.a, self.b = self.sides = tuple(
            Side(self, node, Settings("group", node, f"node {node}", 1 - node, **chosen), log_records_max)  # type: ignore[arg-type]
            for node in (0, 1)
        )

    def link(self) -> None:
        """Let a link come up."""
        self.cut()
        self.session += 1
        self.is_linked = True
        for side in self.sides:
            if side.is_up:
                side.step(LinkUp(self.session, 1 - side.node))
        self.settle()

    def cut(self) -> None:
        """Break the link; both learn of it."""
        if not self.is_linked:
            return
        self.is_linked = False
        self.events = deque((side, event) for side, event in self.events if type(event) is not Received)
        for side in self.sides:
            if side.is_up:
                side.step(LinkDown(self.session, "cut"))

    def close(self, session: int) -> None:
        if session == self.session:
            self.cut()

    def died(self, side: Side) -> None:
        self.cut()

    def carry(self, sender: Side, session: int, message: Message) -> None:
        assert MESSAGES[type(message)] <= self.version_max, f"{message} on a link of version {self.version_max}"
        if type(message) is Hello:
            message = message._replace(version_max=self.version_max)
        is_carried = not self.is_wire_cut and type(message) not in self.loses
        if self.is_linked and is_carried and session == self.session:
            receiver = self.b if sender is self.a else self.a
            self.events.append((receiver, Received(session, message)))

    def sleep(self, milliseconds: int, sleeper: Side) -> None:
        """Let time pass while one side's process stands still; what reaches it waits."""
        held: list[tuple[Side, Event]] = []
        other = self.b if sleeper is self.a else self.a
        for _ in range(0, milliseconds, TICK_MS):
            self.now += TICK_MS * MILLISECOND
            other.step(Tick())
            while self.events:
                side, event = self.events.popleft()
                if side is sleeper:
                    held.append((side, event))
                else:
                    side.step(event)
            other.work_disk()
        self.events.extend(held)


def joined(**chosen: object) -> Pair:
    """Return a pair that is linked, with node 0 active and both protected."""
    log_records_max = chosen.pop("log_records_max", 1 << 30)
    assert isinstance(log_records_max, int)
    pair = Pair(settings=chosen, log_records_max=log_records_max)
    pair.link()
    pair.run(3500)
    assert pair.a.member.role is Role.ACTIVE
    assert pair.b.member.role is Role.PASSIVE
    return pair


def witnessed(**chosen: object) -> Pair:
    """Return a pair with a witness, that is linked, with node 0 active and both protected."""
    pair = Pair(settings={"authority": Mode.WITNESS, **chosen})
    pair.witness = Witness(NO_GRANT, pair.a.settings.lease, pair.now - 10_000 * MILLISECOND)
    pair.link()
    pair.run(1500)
    assert (pair.a.member.role, pair.b.member.role) == (Role.ACTIVE, Role.PASSIVE)
    return pair
