"""What the client protocol is told, and what it says: the values that pass between it and who moves the octets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mtad.delivery.login import Login
from mtad.mail.dsn_request import NO_MESSAGE_REQUEST, MessageRequest
from mtad.mail.outcome import Outcome
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel, Transport
from mtad.mail.verp import verp_path


class Step(StrEnum):
    """What a reply answers."""

    BANNER = "banner"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CHUNK = "BDAT"
    DOT = "end of data"
    RSET = "RSET"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What we say of ourselves, and what we ask of the connection.

    own_name   a peer that gives itself this name is ourselves; '' where it may be another one on this machine
    login      as whom we log in; not in clear text unless `is_near`: the peer is on this machine
    """

    helo: str
    transport: Transport = Transport.SMTP
    tls: TlsLevel = TlsLevel.NONE
    next_hop: str = ""  # as outcomes name it
    own_name: str = ""
    login: Login | None = None
    is_near: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """What is said of a message before it is sent. size_octets is 0 while the content is not there yet.

    is_utf8           its sender said SMTPUTF8: whether it needs it depends on the addresses and on what follows
    has_utf8_fields   of its header; False while the content is not there yet
    is_verp           it goes to each recipient by itself, from a reverse-path that names it
    named             the recipient that the reverse-path is to name
    now_ms            when it is sent, UTC; read where it is to be delivered by a certain time alone
    """

    reverse_path: str
    is_8bit: bool = False
    is_utf8: bool = False
    size_octets: int = 0
    request: MessageRequest = NO_MESSAGE_REQUEST
    is_binary: bool = False
    has_utf8_fields: bool = False
    is_verp: bool = False
    named: str = ""
    now_ms: int = 0

    @property
    def path(self) -> str:
        """The reverse-path that next hops are told."""
        return verp_path(self.reverse_path, self.named) if self.is_verp else self.reverse_path


@dataclass(frozen=True, slots=True)
class StartTls:
    """The peer waits for the TLS handshake; call `tls_started` after it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A transaction may begin."""


@dataclass(frozen=True, slots=True)
class NotOpened:
    """The peer does not serve us; close the connection.

    is_reached   somebody answered, it is not the network
    is_silent    nobody did, not even to refuse the connection
    is_asked     False: it was not tried at all
    is_us        we have reached ourselves: the mail is in a loop
    is_ours      the reply is ours, for the peer gave none
    why_no_login for our log alone: why we were to log in, and have not; '' where that is not why
    """

    reply: Reply
    is_reached: bool = True
    is_silent: bool = False
    is_asked: bool = True
    is_us: bool = False
    is_ours: bool = False
    why_no_login: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The peer accepted a recipient of the transaction."""

    recipient: str


@dataclass(frozen=True, slots=True)
class Settled:
    """A recipient's outcome. is_of_connection: it is the connection that failed, another host may be asked."""

    recipient: str
    outcome: Outcome
    is_of_connection: bool = False


@dataclass(frozen=True, slots=True)
class ContentWanted:
    """The peer answered 354, or takes a chunk: send the content, stuffed for DATA, then call `end_of_data`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The transaction is over, and all its recipients are settled. Close the connection unless it is reusable."""

    is_reusable: bool


Event = StartTls | Opened | NotOpened | Accepted | Settled | ContentWanted | Ended
