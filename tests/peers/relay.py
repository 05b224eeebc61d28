"""A mail server of other makers that stands between a client, us and a next hop: what each of them is told to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.peers.process import PeerUnavailable

BESIDE = Path("/usr/local/lib/mtad-tests")  # where `make peers` unpacks what cannot be installed beside Postfix
PLAIN = "plain.test"
TLS = "tls.test"


@dataclass(frozen=True, slots=True)
class Errand:
    """Where a server sends what it takes: mail for PLAIN and TLS to us, in clear text and over TLS; the rest onwards.

    certificate, key   its own (PEM)
    """

    port: int
    our_port: int
    onward_port: int
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Relay:
    """One that runs."""

    port: int
    log_path: Path

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.log_path.read_text(errors="replace")


def beside(path: str) -> Path:
    """Return a program that `make peers` has unpacked. Errors: PeerUnavailable."""
    found = BESIDE / path
    if not found.exists():
        raise PeerUnavailable(f"{found} is not there: `make peers` brings it")
    return found
