"""A private opendkim that signs what a Postfix hands it, so that both sides of a benchmark do the same work.

Over a Unix socket: over TCP the small writes of the milter protocol wait for each other's acknowledgement, and the
figure would be one of waiting.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.peers.process import open_folder, program, running

_CONFIGURATION = """\
Mode s
Domain {domain}
Selector s1
KeyFile {folder}/key
Socket local:{folder}/socket
UMask 000
Canonicalization relaxed/simple
InternalHosts {folder}/internal
Syslog no
PidFile {folder}/pid
UserID opendkim
Background no
RequireSafeKeys no
"""


@dataclass(frozen=True, slots=True)
class OpenDkim:
    """A running signer."""

    socket: Path

    @property
    def postfix_settings(self) -> dict[str, str]:
        """What a Postfix needs in main.cf to have everything signed."""
        return {"smtpd_milters": f"unix:{self.socket}", "milter_default_action": "tempfail"}


@contextmanager
def opendkim(key: Path, domain: str) -> Iterator[OpenDkim]:
    """Run an opendkim that signs with this private key (PEM) for one domain. Errors: PeerUnavailable."""
    with open_folder("opendkim") as folder:
        shutil.copy(key, folder / "key")
        (folder / "internal").write_text("127.0.0.1\n")
        (folder / "conf").write_text(_CONFIGURATION.format(domain=domain, folder=folder))
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "opendkim")
        command = [program("opendkim"), "-f", "-x", str(folder / "conf")]
        with running(command, lambda: _answers(folder / "socket"), folder / "log"):
            yield OpenDkim(folder / "socket")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
