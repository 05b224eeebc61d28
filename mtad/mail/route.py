"""Where a recipient's mail goes next (RFC 5598 §4: the next hop), and how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    """The protocol towards the next hop."""

    SMTP = "smtp"
    LMTP = "lmtp"


class TlsLevel(StrEnum):
    """What the connection to the next hop must be; Postfix's names. Levels above `encrypt` come with their checks."""

    NONE = "none"
    MAY = "may"
    ENCRYPT = "encrypt"


@dataclass(frozen=True, slots=True)
class Route:
    """A transport and its next hop.

    hosts        () means: the MX hosts of the recipient's domain. Otherwise names, address literals without brackets,
                 or one 'unix:/path', in the order to try them
    port         None means the transport's own: 25 for SMTP; LMTP must name one unless it is a Unix socket
    sources      our addresses, at most one of each family, and next hops of another are not asked; () is the system's
                 choice
    helo         our name; '' is the server's own
    pool         of connections; mail of another one has others, and as many again
    credentials  those that we log in with, by the name that mtad.toml has for them; '' is not at all
    """

    transport: Transport = Transport.SMTP
    hosts: tuple[str, ...] = ()
    port: int | None = None
    tls: TlsLevel = TlsLevel.MAY
    sources: tuple[str, ...] = ()
    helo: str = ""
    pool: str = ""
    credentials: str = ""

    def __str__(self) -> str:
        """Say it in words, for people."""
        parts = [f"{self.transport} to {' or '.join(self.hosts) or 'the hosts of the domain'}"]
        parts += [f"port {self.port}"] if self.port else []
        parts += [f"tls {self.tls}"]
        parts += [f"from {' or '.join(self.sources)}"] if self.sources else []
        parts += [f"as {self.helo}"] if self.helo else []
        parts += [f"pool {self.pool}"] if self.pool else []
        return ", ".join([*parts, *([f"with the credentials {self.credentials}"] if self.credentials else [])])
