"""What one test file works on: the message, its envelope and environment, the script or policy under test.

It is what the facts are to other scripts: those that the file plays ask it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from mtad.admission.facts import NOTHING_ASKED, Asked
from mtad.admission.policy import Policy
from mtad.limits.places import Holder
from mtad.mail.address import BadPath, parse_mailbox
from mtad.mail.deliver_by import DeliverBy, read_by
from mtad.mail.dsn_request import Notify, Return, read_notify
from mtad.mail.notes import NOTHING_NOTED, Noted
from mtad.mail.verdict import Disposition, Resolution, Verdict
from mtad.rehearsal.lookups import Lookups, PlayedLimits
from mtad.rehearsal.measured import Measured
from mtad.rehearsal.report import CaseReport, Failure
from mtad.sieve.addresses import addresses_in
from mtad.sieve.doors import Doors, Sighting
from mtad.sieve.message import Message
from mtad.sieve.run import Run
from mtad.sieve.script import Script
from mtad.telemetry.events import CollectedEvents

ERRORS_MAX = 100  # of those that test_error may ask for

_CONTENT = b"From: sender@example.com\r\nTo: recipient@example.org\r\nSubject: Frop!\r\n\r\nFriep!\r\n"
_AGENT = {"name": "mtad", "location": "MTA", "phase": "pre", "remote-ip": "192.0.2.1", "host": "mx.example.org"}


Answer = Verdict | Disposition | Resolution  # of a stage


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a result would have sent."""

    sender: str  # '' is the null reverse-path
    recipient: str
    content: bytes


@dataclass(slots=True)
class Workbench:
    """The state of one test file; the tests of the file follow each other on it.

    folder       where the paths that the file names begin
    items        of the environment, by name; what is not there is not known
    settings     those in force; `settings_wanted` come in force when the file reloads them
    mailboxes    what was put into each; `sent` is what went elsewhere
    sessions     what those hold that have begun; the last one goes on
    measured     what the stage that was played last has measured
    noted        what the stages that were played have noted; a `mail` begins a message of which nothing is
    failure      why the test that is played has failed
    """

    folder: Path
    file: str
    message_now: Message = field(init=False)
    content: bytes = field(init=False)
    sender: str = field(init=False)
    recipients: tuple[str, ...] = field(init=False)
    items: dict[str, str] = field(default_factory=lambda: dict(_AGENT))
    asked: Asked = NOTHING_ASKED
    clock: datetime | None = None
    spam: int | None = None  # percent
    virus: int | None = None  # 1 to 5
    sightings: dict[tuple[str, str], float] = field(default_factory=dict)  # until when each is remembered
    is_trusted: bool = False
    sessions: list[Holder] = field(default_factory=lambda: [Holder()])
    settings: Mapping[str, str] = field(default_factory=dict)
    settings_wanted: dict[str, str] = field(default_factory=dict)
    script: Script | None = None
    saved: dict[str, Script] = field(default_factory=dict)
    mailboxes: dict[str, list[bytes]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    policy: Policy | None = None
    lookups: Lookups = field(init=False)
    events: CollectedEvents = field(default_factory=CollectedEvents)
    measured: Measured = field(default_factory=Measured)
    verdict: Answer | None = None
    noted: Noted = NOTHING_NOTED
    errors: list[str] = field(default_factory=list)
    tests: list[CaseReport] = field(default_factory=list)
    failure: Failure | None = None

    def __post_init__(self) -> None:
        self.lookups = Lookups(PlayedLimits(lambda: round(self.now().timestamp() * 1000)))
        self.set_message(_CONTENT)

    # The facts of the scripts that are played.

    def environment(self, item: str) -> str:
        """Return an item of the environment."""
        return self.items.get(item, "")

    def envelope(self, part: str) -> Sequence[str]:
        """Return the addresses of a part of the envelope, or what else stands in it."""
        read = _ENVELOPE.get(part)
        return self.asked.envelope(part) if read is None else read(self)

    def deliver_by(self) -> DeliverBy | None:
        """Return by when the message is to be delivered."""
        return self.asked.of_message.by

    def message(self) -> Message:
        """Return the message."""
        return self.message_now

    # The sessions of the policy that is played.

    def begin_session(self) -> None:
        """Begin another session; those before it stay open."""
        self.sessions.append(Holder())

    def end_sessions(self) -> None:
        """End all sessions, and begin another one."""
        for session in self.sessions:
            session.end()
        self.sessions = [Holder()]

    # What the test file sets.

    def set_message(self, content: bytes) -> None:
        """Replace the message; the envelope is taken from its fields."""
        self.change_message(content)
        self.sender = self._first("return-path", "sender", "from") or "sender@example.com"
        self.recipients = (self._first("envelope-to", "to") or "recipient@example.com",)

    def change_message(self, content: bytes) -> None:
        """Replace the message; the envelope stays."""
        self.content = content
        self.message_now = Message(content)

    def now(self) -> datetime:
        """Return the time that the file has set, or what it is."""
        return self.clock if self.clock is not None else datetime.now().astimezone()

    def set_fact(self, name: str, value: str) -> str:
        """Set what `settable` says can be set; return what is wrong with the value."""
        kind, _, item = name.partition(".")
        if kind == "environment":
            self.items[item] = value
            return ""
        try:
            _FACTS[name](self, value)
        except ValueError as error:
            return str(error)
        return ""

    def doors(self) -> Doors:
        """Return what scripts may ask beside their facts."""
        return Doors(self.now, self.seen, lambda: self.spam, lambda: self.virus)

    async def seen(self, sighting: Sighting) -> bool:
        """Tell whether something was seen before, and remember it."""
        key, now = (sighting.handle, sighting.value), self.now().timestamp()
        is_known = self.sightings.get(key, now) > now
        if sighting.is_last or not is_known:
            self.sightings[key] = now + sighting.seconds
        return is_known

    def reload(self) -> None:
        """Bring the settings that are wanted in force."""
        self.settings = dict(self.settings_wanted)

    def note(self, text: str) -> None:
        """Keep an error for test_error."""
        if len(self.errors) < ERRORS_MAX:
            self.errors.append(text)

    def path(self, name: str) -> Path:
        """Return a path that the file names."""
        return self.folder / name

    def set_content(self, value: str) -> None:
        """Replace the message by a text."""
        self.set_message(value.encode("utf-8", "surrogateescape"))

    def set_sender(self, value: str) -> None:
        """Replace the reverse-path, bare or in brackets; one that is no path is none."""
        address = value.strip().removeprefix("<").removesuffix(">")
        self.sender = "" if isinstance(parse_mailbox(address), BadPath) else address

    def set_recipients(self, value: str) -> None:
        """Replace the recipients, separated by commas."""
        self.recipients = tuple(addresses_in(value))

    def set_trusted(self, value: str) -> None:
        """Say whether an earlier stage has trusted the client."""
        self.is_trusted = value == "yes"

    def set_clock(self, value: str) -> None:
        """Say what time it is, as ISO 8601 has it. Errors: ValueError."""
        clock = datetime.fromisoformat(value)
        if clock.tzinfo is None:
            raise ValueError(f"{value!r} has no zone")
        self.clock = clock

    def set_identity(self, value: str) -> None:
        """Say who has authenticated; '' is nobody."""
        self.items["vnd.mtad.auth-user"] = value

    def set_ret(self, value: str) -> None:
        """Say how much of the message the sender wants back. Errors: ValueError."""
        self.asked = replace(self.asked, of_message=replace(self.asked.of_message, ret=Return(value)))

    def set_envid(self, value: str) -> None:
        """Say how the sender calls the message."""
        self.asked = replace(self.asked, of_message=replace(self.asked.of_message, envid=value))

    def set_by(self, value: str) -> None:
        """Say by when the message is to be delivered, as MAIL has it; '' says nothing of it. Errors: ValueError."""
        within = read_by(value) if value else None
        if value and within is None:
            raise ValueError(f"{value!r} is no BY (RFC 2852)")
        by = None if within is None else within.from_now(int(self.now().timestamp() * 1000))
        self.asked = replace(self.asked, of_message=replace(self.asked.of_message, by=by))

    def set_notify(self, value: str) -> None:
        """Say of what the sender wants to be told, as RCPT has it; '' says nothing of it. Errors: ValueError."""
        notify = read_notify(value) if value else Notify.UNSAID
        if notify is None:
            raise ValueError(f"{value!r} is neither NEVER nor a list of SUCCESS, FAILURE and DELAY")
        self.asked = replace(self.asked, of_recipient=replace(self.asked.of_recipient, notify=notify))

    def set_original(self, value: str) -> None:
        """Say what the recipient was at first, as ORCPT has it: `rfc822;bob@example.net`."""
        self.asked = replace(self.asked, of_recipient=replace(self.asked.of_recipient, original=value))

    def set_spam(self, value: str) -> None:
        """Say how sure a scanner is that it is spam, in percent; '' is not tested. Errors: ValueError."""
        self.spam = _within(value, 0, 100)

    def set_virus(self, value: str) -> None:
        """Say what a scanner has found (RFC 5235 §2.5); '' is not tested. Errors: ValueError."""
        self.virus = _within(value, 1, 5)

    def _first(self, *names: str) -> str:
        return next((address for name in names for address in self.message_now.addresses(name)), "")


_ENVELOPE: Mapping[str, Callable[[Workbench], Sequence[str]]] = {
    "from": lambda bench: (bench.sender,),
    "to": lambda bench: bench.recipients,
    "auth": lambda bench: (identity,) if (identity := bench.environment("vnd.mtad.auth-user")) else (),
}
_FACTS: Mapping[str, Callable[[Workbench, str], None]] = {
    "message": Workbench.set_content,
    "envelope.from": Workbench.set_sender,
    "envelope.to": Workbench.set_recipients,
    "envelope.auth": Workbench.set_identity,
    "envelope.ret": Workbench.set_ret,
    "envelope.envid": Workbench.set_envid,
    "envelope.by": Workbench.set_by,
    "envelope.notify": Workbench.set_notify,
    "envelope.orcpt": Workbench.set_original,
    "trusted": Workbench.set_trusted,
    "currentdate": Workbench.set_clock,
    "spam": Workbench.set_spam,
    "virus": Workbench.set_virus,
}


def _within(value: str, least: int, most: int) -> int | None:
    if value and not least <= int(value) <= most:
        raise ValueError(f"{value} is not {least} to {most}")
    return int(value) if value else None


def settable(name: str) -> bool:
    """Tell whether there is such a fact."""
    return name in _FACTS or name.startswith("environment.")


def workbench(run: Run) -> Workbench:
    """Return the workbench of a run; the test commands are compiled for no other."""
    assert isinstance(run.facts, Workbench)
    return run.facts
