"""What one process lets its clients use: sessions, octets, commands, time (RFC 5321 §4.5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from mtad.server.rates import Act, Rate

DATA_OCTETS_PER_SECOND_MIN = 256
PRESSED_PERCENT = 90  # of all sessions: from there on a client may be silent for a short time only


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may do."""

    errors_max: int = 20  # permanent refusals since the last accepted message
    auth_failures_max: int = 3  # of AUTH
    idle_commands_max: int = 100  # commands that bring no message closer, since the last accepted one
    recipients_max: int = 1000  # RFC 5321 §4.5.3.1.8: at least 100
    command_octets_max: int = 2048  # RFC 5321 §4.5.3.1.4: at least 512, and what the parameters need


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """What one message may be, and what all of a process's messages may hold together."""

    size_octets_max: int = 50 * 1024 * 1024
    line_octets_max: int = 1024 * 1024  # lines over 1000 octets are against RFC 5321 §4.5.3.1.6, and are passed on
    received_fields_max: int = 50  # RFC 5321 §6.3: at that many the message is in a loop
    octets_in_flight_max: int = 256 * 1024 * 1024  # contents as received; handling one holds up to twice its size


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long to wait, in seconds."""

    command: float = 300.0  # RFC 5321 §4.5.3.2.7; for a whole command line, not for each octet
    data_block: float = 180.0
    data: float = 3600.0  # from 354 to the end of the data
    data_grace: float = 600.0  # then content comes at DATA_OCTETS_PER_SECOND_MIN on average
    session: float = 3600.0  # without an accepted message, whatever the client says meanwhile
    command_pressed: float = 10.0  # as `command`, where sessions are nearly as many as may be
    answer: float = 600.0  # our own work on one command; RFC 5321 §4.5.3.2.6: no client waits longer
    tls_handshake: float = 60.0
    delivery_deadline: float = 20.0  # through-delivery: then the rest is queued and the client answered

    def data_latest(self, began: float, octets_count: int) -> float:
        """Return when a content that so much has come of must have gone on, or ended."""
        return began + min(self.data, self.data_grace + octets_count / DATA_OCTETS_PER_SECOND_MIN)


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of one process's server; what is said of clients is said of their networks (mtad.server.clients)."""

    sessions_max: int = 2000
    sessions_per_client_max: int = 100
    rates: Mapping[Act, Rate] = field(default_factory=dict)  # of each network; what is not named has no limit
    exempt: tuple[IPv4Network | IPv6Network, ...] = ()  # networks that only sessions_max holds for
    session: SessionLimits = field(default_factory=SessionLimits)
    content: ContentLimits = field(default_factory=ContentLimits)
    seconds: TimeLimits = field(default_factory=TimeLimits)
