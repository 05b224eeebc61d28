"""The envelope of a message (RFC 5321 §2.3.1), and what is known of the client that brought it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mtad.mail.dsn_request import NO_MESSAGE_REQUEST, NO_REQUEST, MessageRequest, RecipientRequest
from mtad.mail.notes import NO_NOTES, Noted, Notes
from mtad.mail.queue_id import QueueId
from mtad.mail.route import Route


@dataclass(frozen=True, slots=True)
class Tls:
    """What a handshake has agreed on, as OpenSSL names it: 'TLSv1.3', 'TLS_AES_256_GCM_SHA384'; '' is not known."""

    version: str = ""
    cipher: str = ""


NO_TLS = Tls()


@dataclass(frozen=True, slots=True)
class Client:
    """The peer of one session, as far as we know it."""

    address: str  # IPv4 or IPv6, without brackets or zone
    port: int
    helo: str = ""
    is_esmtp: bool = False
    is_tls: bool = False
    identity: str = ""  # who authenticated; '' for nobody
    listener: str = ""  # the kind of listener that it came by; the queue does not keep it
    notes: Notes = NO_NOTES  # that policy made of the session; the queue does not keep them either
    tls: Tls = NO_TLS  # as it was agreed on; the queue keeps is_tls alone
    mechanism: str = ""  # by which it authenticated; nor does it keep this
    came_to: tuple[str, int] = ("", 0)  # our own address and port; nor these; ("", 0) is a Unix socket


@dataclass(frozen=True, slots=True)
class Recipient:
    """A forward-path that we accepted, and where it goes."""

    address: str  # as the client wrote it, without brackets
    route: Route
    queue_on_transient: bool = False  # policy `queue :transient`: keep here what the next hop refuses for now
    queue_at_once: bool = False  # policy `queue`: no attempt while the client waits
    request: RecipientRequest = NO_REQUEST
    notes: Notes = NO_NOTES  # that policy made of it

    def noting(self, noted: Noted) -> Recipient:
        """Return the recipient with what is noted of it."""
        return replace(self, notes=noted.recipients.get(self.address, NO_NOTES))


@dataclass(frozen=True, slots=True)
class Envelope:
    """One transaction's envelope; replaced by each command, dropped whole."""

    reverse_path: str  # '' is the null reverse-path
    client: Client
    recipients: tuple[Recipient, ...] = ()
    is_8bit: bool = False  # BODY=8BITMIME
    is_utf8: bool = False  # SMTPUTF8
    is_binary: bool = False  # BODY=BINARYMIME
    size_declared_octets: int = 0
    is_submission: bool = False  # the client is a submitter (trusted or authenticated), not an MTA
    is_trusted: bool = False  # policy said accept :relay for the client
    is_sender_verified: bool = False
    is_verp: bool = False  # policy `setsender :verp`: each recipient is sent it from a path that names it
    request: MessageRequest = NO_MESSAGE_REQUEST
    notes: Notes = NO_NOTES  # that policy made of the message
    queue_id: QueueId = ""
    queue_name: str = ""  # as policy calls the queue in which it waits; only what waits has one
    number: int = 0  # of the messages of its session, this one included; the queue does not keep it

    @property
    def noted(self) -> Noted:
        """All that policy has noted of it."""
        recipients = {one.address: one.notes for one in self.recipients if one.notes is not NO_NOTES}
        return Noted(self.client.notes, self.notes, recipients)

    def noting(self, noted: Noted | None) -> Envelope:
        """Return the envelope with what is noted of its session and of itself; None is nothing new."""
        if noted is None:
            return self
        return replace(self, client=replace(self.client, notes=noted.session), notes=noted.message)


def domain_of(address: str) -> str:
    """Return the folded domain of an address; '' when it has none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""
