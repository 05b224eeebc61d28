"""One reply a command, and no transaction ever knows anything of another: a model says what each command must do.

Each bug in BUGS leaves half of a transaction behind; the same search must find it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mtad.mail.reply import Reply
from mtad.server import session
from mtad.server.limits import Limits
from mtad.server.listener import Identity, Server
from mtad.server.session import Session
from mtad.server.step import Step
from mtad.server.transaction import Transaction
from mtad.telemetry.events import CollectedEvents
from tests.dialog.wires import MemoryWire, reply
from tests.fakes.server_rooms import FAILED, FakeRooms

ADDRESSES = ("one@example.net", "two@example.net", "none@example.net")
COMMANDS = st.one_of(
    st.sampled_from(["EHLO c.example", "RSET", "NOOP", "DATA", "DATA nul", "BDAT 3", "BDAT 3 LAST", "BDAT 900"]),
    st.sampled_from(
        ["MAIL FROM:<a@c.example>", "MAIL FROM:<b@c.example>", "MAIL FROM:<", "MAIL FROM:<c@c.example> X=1"]
    ),
    st.sampled_from([f"RCPT TO:<{address}>" for address in (*ADDRESSES, "bad")]),
)
BEGINNINGS = st.sampled_from(
    [[], ["EHLO c.example"], ["EHLO c.example", "MAIL FROM:<a@c.example>", "RCPT TO:<one@example.net>"]]
)
DIALOGS = st.builds(lambda first, rest: [*first, *rest], BEGINNINGS, st.lists(COMMANDS, max_size=25))
LIMITS = Limits()
LIMITS = replace(
    LIMITS,
    session=replace(LIMITS.session, errors_max=1000, idle_commands_max=1000),
    content=replace(LIMITS.content, size_octets_max=800),
)


@dataclass
class Model:
    """What RFC 5321 and RFC 3030 have a server know of its client."""

    is_greeted: bool = False
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    is_chunked: bool = False
    is_spoilt: bool = False
    delivered: list[tuple[str, list[str]]] = field(default_factory=list)

    def forget(self) -> None:
        self.sender, self.recipients, self.is_chunked, self.is_spoilt = "", [], False, False

    def expects(self, command: str) -> str:
        """Return the code of the reply, and take in what the command does; DATA is answered at its end."""
        verb, _, argument = command.partition(" ")
        return str(getattr(self, verb.lower())(argument))

    def ehlo(self, argument: str) -> str:
        self.forget()
        self.is_greeted = True
        return "250"

    def rset(self, argument: str) -> str:
        self.forget()
        return "250"

    def noop(self, argument: str) -> str:
        return "250"

    def mail(self, argument: str) -> str:
        if not self.is_greeted or self.sender:
            return "503"
        if argument == "FROM:<":
            return "501"
        if "X=1" in argument:
            return "555"
        self.sender = argument[6:].rstrip(">")
        return "250"

    def rcpt(self, argument: str) -> str:
        if not self.sender or self.is_chunked:
            return "503"
        address = argument[4:].rstrip(">")
        if address == "bad":
            return "501"
        if address == "none@example.net":
            return "550"
        if address not in self.recipients:
            self.recipients.append(address)
        return "250"

    def data(self, argument: str) -> str:
        if not self.sender or self.is_chunked:
            return "503"
        if not self.recipients:
            return "554"
        return self._end(is_good=argument != "nul")

    def bdat(self, argument: str) -> str:
        is_last = argument.endswith("LAST")
        if not self.sender or self.is_spoilt:
            return "503"
        if not self.recipients:
            self.is_chunked = self.is_spoilt = True
            if is_last:
                self.forget()
            return "554"
        if argument == "900":
            self.is_chunked = self.is_spoilt = True
            return "552"
        self.is_chunked = True
        return self._end(is_good=True) if is_last else "250"

    def _end(self, *, is_good: bool) -> str:
        if is_good:
            self.delivered.append((self.sender, self.recipients))
        self.forget()
        return "250" if is_good else "550"


async def play(commands: list[str], reached: Counter[str]) -> None:
    """Hold a server to the model, command by command."""
    rooms = FakeRooms()
    rooms.delivery.at_rcpt["none@example.net"] = FAILED
    server = Server(Identity("mx.here.example"), LIMITS, rooms.collaborators(), CollectedEvents(), rooms.time.clock())
    wire, model = MemoryWire(server), Model()
    await reply(wire)
    for command in commands:
        said = await answered(wire, command)
        assert said, f"closed at {command}"
        expected = model.expects(command)
        assert said[-1][:3] == expected, (command, said, expected)
        reached[expected] += 1
        delivered = [
            (one.mail.reverse_path, one.recipients) for one in rooms.delivery.opened if one.content is not None
        ]
        assert delivered == model.delivered, command
        assert not wire.replies._buffer, "one reply too many"  # type: ignore[attr-defined]
    await wire.close()
    assert server.octets_in_flight == 0
    assert all(one.is_aborted or one.content is not None for one in rooms.delivery.opened), "left open"


async def answered(wire: MemoryWire, command: str) -> list[str]:
    """Send a command with what follows it; return its last reply."""
    verb, _, argument = command.partition(" ")
    if verb != "DATA":
        await wire.send(command.encode() + b"\r\n" + (b"x" * int(argument.split()[0]) if verb == "BDAT" else b""))
        return await reply(wire)
    await wire.send(b"DATA\r\n")
    said = await reply(wire)
    if said and said[0].startswith("354"):
        await wire.send(b"x\0y\r\n.\r\n" if argument else b"text\r\n.\r\n")
        said = await reply(wire)
    return said


def search(examples_max: int) -> Counter[str]:
    reached: Counter[str] = Counter()

    @settings(
        max_examples=examples_max,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(DIALOGS)
    def check(commands: list[str]) -> None:
        asyncio.run(play(commands, reached))

    check()
    return reached


def test_a_session_does_as_the_model() -> None:
    assert search(300).keys() >= {"250", "501", "503", "550", "552", "554", "555"}


async def _keeps_all(self: Session) -> None:
    """Forget nothing."""


async def _keeps_recipients(self: Session, argument: str) -> Step:
    """Forget the sender alone."""
    if self._transaction is not None:
        envelope = replace(self._transaction.envelope, reverse_path="")
        self._transaction = replace(self._transaction, envelope=envelope)
    return Step(Reply.of(250, "2.0.0", "Ok"))


async def _keeps_sender(self: Session, argument: str) -> Step:
    """Forget the recipients alone."""
    if self._transaction is not None:
        envelope = replace(self._transaction.envelope, recipients=())
        self._transaction = replace(self._transaction, envelope=envelope, accepted=(), through=None)
    return Step(Reply.of(250, "2.0.0", "Ok"))


_content = Session.content


async def _keeps_after_the_end(self: Session, reader: object) -> Step:
    """Leave the transaction where it was when its message has been accepted."""
    transaction = self._transaction
    step = await _content(self, reader)  # type: ignore[arg-type]
    self._transaction = transaction
    return step


async def _forgets_without_telling(self: Session) -> None:
    """Forget the transaction, and let the next hop wait for its end."""
    self._transaction = None


BUGS: Mapping[str, tuple[object, str, Callable[..., object]]] = {
    "drop forgets nothing": (Session, "drop", _keeps_all),
    "the end of the data forgets nothing": (Session, "content", _keeps_after_the_end),
    "drop does not tell the next hops": (Session, "drop", _forgets_without_telling),
    "a refused chunk keeps what it was refused for": (Transaction, "refused", lambda self: replace(self, chunks=None)),
    "RSET forgets the sender alone": (Session, "rset", _keeps_recipients),
    "RSET forgets the recipients alone": (Session, "rset", _keeps_sender),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_transaction_that_is_half_reset_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, instead = BUGS[bug]
    monkeypatch.setattr(owner, name, instead)
    if name == "rset":  # verbs are found by the table
        verb = replace(session.VERBS[b"RSET"], act=instead)  # type: ignore[arg-type]
        monkeypatch.setattr(session, "VERBS", {**session.VERBS, b"RSET": verb})
    with pytest.raises((AssertionError, ExceptionGroup)):  # a group where it fails in several ways
        search(300)
