"""What all sessions of one entrance share, and the extensions that it offers them (RFC 5321 §4.1.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mtad.mail.deliver_by import SECONDS_MIN
from mtad.mail.envelope import Client
from mtad.mail.queue_id import QueueId
from mtad.server.acceptance import Acceptance
from mtad.server.clients import Clients
from mtad.server.collaborators import Clock, Collaborators
from mtad.server.entrance import MX, Entrance
from mtad.server.failed_attempts import FailedAttempts
from mtad.server.framing import OctetBudget
from mtad.server.limits import Limits
from mtad.telemetry.events import Events


@dataclass(frozen=True, slots=True)
class Service:
    """What all sessions of a server share that came by the same entrance."""

    hostname: str
    postmaster_domain: str  # of RCPT TO:<postmaster> (RFC 5321 §4.5.1)
    has_tls: bool
    is_binary_offered: bool
    limits: Limits
    clients: Clients
    rooms: Collaborators
    acceptance: Acceptance
    budget: OctetBudget
    events: Events
    clock: Clock
    failed_attempts: FailedAttempts = field(default_factory=FailedAttempts)
    entrance: Entrance = MX

    def next_id(self) -> QueueId:
        """Return an id that sorts by time: a session's, or a transaction's and then its message's."""
        return self.rooms.queue_ids.next(self.clock.wall_ms(), self.clock.chance())

    def extensions(self, client: Client) -> tuple[str, ...]:
        """Return the lines of the reply to EHLO behind the first: nothing that does not work to the end."""
        return (
            "PIPELINING",
            f"SIZE {self.limits.content.size_octets_max}",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
            "DSN",
            f"DELIVERBY {SECONDS_MIN}",
            "CHUNKING",
            *(("BINARYMIME",) if self.is_binary_offered else ()),
            f"LIMITS RCPTMAX={self.limits.session.recipients_max}",  # RFC 9422; what is not named has no limit
            "SMTPUTF8",
            *(() if self.entrance.is_lmtp else ("PRDR",)),  # LMTP answers each recipient anyhow
            *(("STARTTLS",) if self.has_tls and not client.is_tls else ()),
            *self._mechanisms(client),
            *(() if self.entrance.is_lmtp else ("HELP",)),
        )

    @property
    def commands(self) -> tuple[str, ...]:
        """The verbs that HELP lists."""
        return (
            *("EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "HELP", "QUIT"),
            *(("STARTTLS",) if self.has_tls and not self.entrance.is_tls_at_once else ()),
            *(("AUTH",) if self.rooms.authenticator is not None and self.entrance.is_submission else ()),
        )

    def _mechanisms(self, client: Client) -> tuple[str, ...]:
        authenticator = self.rooms.authenticator
        if authenticator is None or not self.entrance.is_submission or not client.is_tls or client.identity:
            return ()
        return (" ".join(("AUTH", *authenticator.mechanisms)),)
