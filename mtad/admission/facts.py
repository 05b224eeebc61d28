"""What is known at each stage: the values that a policy decides on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtad.limits.places import Holder
from mtad.mail.deliver_by import DeliverBy
from mtad.mail.dsn_request import (
    NO_MESSAGE_REQUEST,
    NO_REQUEST,
    MessageRequest,
    RecipientRequest,
    notify_text,
)
from mtad.mail.envelope import Client, Envelope
from mtad.mail.notes import NO_NOTES, NOTHING_NOTED, Noted, Notes
from mtad.mail.queue_id import QueueId
from mtad.mail.verdict import Tried
from mtad.sieve.message import Message


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """One session."""

    client: Client
    listener: str = ""  # the name of the listener that took the connection
    is_trusted: bool = False  # an earlier stage said `accept :relay`
    holder: Holder | None = None  # has the places that it holds


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sender asks to be told (RFC 3461)."""

    of_message: MessageRequest = NO_MESSAGE_REQUEST
    of_recipient: RecipientRequest = NO_REQUEST

    def envelope(self, part: str) -> Sequence[str]:
        """Return what stands in a part of the envelope (RFC 6009 §2)."""
        return _ASKED[part](self)


NOTHING_ASKED = Asked()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session has come: in which message it is, the how manieth of its own, with how many recipients."""

    queue_id: QueueId = ""
    messages_count: int = 0
    recipients_count: int = 0


NO_PROGRESS = Progress()


@dataclass(frozen=True, slots=True)
class Agent:
    """Who runs the policy (RFC 5183 §4.1)."""

    host: str = ""
    domain: str = ""
    version: str = ""


NO_AGENT = Agent()


@dataclass(frozen=True, slots=True)
class MailFacts:
    """MAIL FROM."""

    session: SessionFacts
    reverse_path: str  # '' is the null reverse-path
    notes: Notes = NO_NOTES
    asked: Asked = NOTHING_ASKED
    progress: Progress = NO_PROGRESS


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """RCPT TO: one recipient, as the client wrote it, without brackets."""

    session: SessionFacts
    reverse_path: str
    recipient: str
    notes: Notes = NO_NOTES
    asked: Asked = NOTHING_ASKED
    progress: Progress = NO_PROGRESS  # without this recipient


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """The end of the data."""

    session: SessionFacts
    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes
    noted: Noted = NOTHING_NOTED
    asked: Asked = NOTHING_ASKED
    progress: Progress = NO_PROGRESS


class Scene:
    """A stage's facts in the words of a script."""

    __slots__ = (
        "_content",
        "_message",
        "agent",
        "asked",
        "client",
        "holder",
        "is_anew",
        "listener",
        "noted",
        "progress",
        "recipients",
        "reverse_path",
        "stage",
    )

    def __init__(
        self,
        stage: str,
        session: SessionFacts,
        reverse_path: str = "",
        recipients: Sequence[str] = (),
        content: bytes = b"",
        noted: Noted = NOTHING_NOTED,
    ) -> None:
        self.stage = stage
        self.noted = noted
        self.asked = NOTHING_ASKED
        self.progress = NO_PROGRESS
        self.agent = NO_AGENT
        self.is_anew = False  # the stage was asked of the same before
        self.client = session.client
        self.listener = session.listener
        self.holder = session.holder
        self.reverse_path = reverse_path
        self.recipients = recipients
        self._content = content
        self._message: Message | None = None

    def environment(self, item: str) -> str:
        """Return an item of the environment."""
        return _ENVIRONMENT[item](self)

    def envelope(self, part: str) -> Sequence[str]:
        """Return the addresses of a part of the envelope, or what else stands in it."""
        read = _ENVELOPE.get(part)
        return self.asked.envelope(part) if read is None else read(self)

    def deliver_by(self) -> DeliverBy | None:
        """Return by when the message is to be delivered."""
        return self.asked.of_message.by

    def message(self) -> Message:
        """Return the message; its fields are split and decoded once for the stage."""
        if self._message is None:
            self._message = Message(self._content)
        return self._message


class QueueScene(Scene):
    """The facts of the stage `queue`: what was tried besides."""

    __slots__ = ("_queue_name", "_tried")

    def __init__(self, envelope: Envelope, recipient: str, notes: Notes, tried: Tried) -> None:
        noted = Noted(message=envelope.notes, recipients={recipient: notes})
        super().__init__("queue", SessionFacts(envelope.client), envelope.reverse_path, (recipient,), noted=noted)
        self._tried = tried
        self._queue_name = envelope.queue_name
        self.progress = Progress(envelope.queue_id)

    def environment(self, item: str) -> str:
        """Return an item of the environment."""
        if item == "vnd.mtad.queue-name":
            return self._queue_name
        of_tried = _OF_TRIED.get(item)
        return of_tried(self._tried) if of_tried is not None else super().environment(item)


def _class_of(tried: Tried) -> str:
    """Say how an attempt ended: no next hop could be asked, or one refused."""
    if tried.outcome.is_ours or not tried.outcome.next_hop:
        return "connect"
    return "permanent" if tried.outcome.reply.is_permanent else "transient"


_OF_TRIED: Mapping[str, Callable[[Tried], str]] = {
    "vnd.mtad.last-code": lambda tried: str(tried.outcome.reply.code),
    "vnd.mtad.last-enhanced": lambda tried: tried.outcome.reply.enhanced,
    "vnd.mtad.last-text": lambda tried: " ".join(tried.outcome.reply.lines),
    "vnd.mtad.last-host": lambda tried: tried.outcome.next_hop,
    "vnd.mtad.last-class": _class_of,
    "vnd.mtad.attempts": lambda tried: str(tried.attempts_count),
    "vnd.mtad.age": lambda tried: str(tried.age_seconds),
}
_ENVIRONMENT: Mapping[str, Callable[[Scene], str]] = {
    "name": lambda scene: "mtad",
    "location": lambda scene: "MTA",  # RFC 5183 §4.1
    "phase": lambda scene: "pre",
    "host": lambda scene: scene.agent.host,
    "domain": lambda scene: scene.agent.domain,
    "version": lambda scene: scene.agent.version,
    "remote-ip": lambda scene: scene.client.address,
    "vnd.mtad.stage": lambda scene: scene.stage,
    "vnd.mtad.helo": lambda scene: scene.client.helo,
    "vnd.mtad.listener": lambda scene: scene.listener,
    "vnd.mtad.tls-version": lambda scene: scene.client.tls.version or ("TLS" if scene.client.is_tls else ""),
    "vnd.mtad.tls-cipher": lambda scene: scene.client.tls.cipher,
    "vnd.mtad.auth-user": lambda scene: scene.client.identity,
    "vnd.mtad.auth-mech": lambda scene: scene.client.mechanism,
    "vnd.mtad.local-ip": lambda scene: scene.client.came_to[0],
    "vnd.mtad.local-port": lambda scene: str(scene.client.came_to[1] or ""),
    "vnd.mtad.queue-id": lambda scene: scene.progress.queue_id,
    "vnd.mtad.msg-count": lambda scene: str(scene.progress.messages_count),
    "vnd.mtad.rcpt-count": lambda scene: str(scene.progress.recipients_count),
}
_ENVELOPE: Mapping[str, Callable[[Scene], Sequence[str]]] = {
    "from": lambda scene: (scene.reverse_path,),
    "to": lambda scene: scene.recipients,
    "auth": lambda scene: (scene.client.identity,) if scene.client.identity else (),
}
_ASKED: Mapping[str, Callable[[Asked], Sequence[str]]] = {
    "ret": lambda asked: (asked.of_message.ret.value,) if asked.of_message.ret else (),
    "envid": lambda asked: (asked.of_message.envid,) if asked.of_message.envid else (),
    "notify": lambda asked: [word for word in notify_text(asked.of_recipient.notify).split(",") if word],
    "orcpt": lambda asked: (asked.of_recipient.original,) if asked.of_recipient.original else (),
}
