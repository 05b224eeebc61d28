"""What is known at each stage: the values that a policy decides on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtad.mail.envelope import Client
from mtad.mail.notes import NO_NOTES, NOTHING_NOTED, Noted, Notes
from mtad.sieve.message import Message


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """One session."""

    client: Client
    listener: str = ""  # the name of the listener that took the connection
    is_trusted: bool = False  # an earlier stage said `accept :relay`


@dataclass(frozen=True, slots=True)
class MailFacts:
    """MAIL FROM."""

    session: SessionFacts
    reverse_path: str  # '' is the null reverse-path
    notes: Notes = NO_NOTES


@dataclass(frozen=True, slots=True)
class RecipientFacts:
    """RCPT TO: one recipient, as the client wrote it, without brackets."""

    session: SessionFacts
    reverse_path: str
    recipient: str
    notes: Notes = NO_NOTES


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """The end of the data."""

    session: SessionFacts
    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes
    noted: Noted = NOTHING_NOTED


class Scene:
    """A stage's facts in the words of a script."""

    __slots__ = ("_content", "_message", "client", "listener", "noted", "recipients", "reverse_path", "stage")

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
        self.client = session.client
        self.listener = session.listener
        self.reverse_path = reverse_path
        self.recipients = recipients
        self._content = content
        self._message: Message | None = None

    def environment(self, item: str) -> str:
        """Return an item of the environment."""
        return _ENVIRONMENT[item](self)

    def envelope(self, part: str) -> Sequence[str]:
        """Return the addresses of a part of the envelope."""
        return _ENVELOPE[part](self)

    def message(self) -> Message:
        """Return the message; its fields are split and decoded once for the stage."""
        if self._message is None:
            self._message = Message(self._content)
        return self._message


_ENVIRONMENT: Mapping[str, Callable[[Scene], str]] = {
    "name": lambda scene: "mtad",
    "location": lambda scene: "MTA",  # RFC 5183 §4.1
    "phase": lambda scene: "pre",
    "remote-ip": lambda scene: scene.client.address,
    "vnd.mtad.stage": lambda scene: scene.stage,
    "vnd.mtad.helo": lambda scene: scene.client.helo,
    "vnd.mtad.listener": lambda scene: scene.listener,
    "vnd.mtad.auth-user": lambda scene: scene.client.identity,
}
_ENVELOPE: Mapping[str, Callable[[Scene], Sequence[str]]] = {
    "from": lambda scene: (scene.reverse_path,),
    "to": lambda scene: scene.recipients,
    "auth": lambda scene: (scene.client.identity,) if scene.client.identity else (),
}
