"""A private Postfix: a whole instance without systemd, syslog or chroot, relaying everything to one next hop.

`smtp-source`, Postfix's load client, and `smtp-sink` stand beside it. Postfix's master runs as root only; what it
delivers to is usually a `mtad.lab.sink`, which shows what arrived.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtad.lab.ports import free_port
from tests.peers.process import PeerUnavailable, greets, open_folder, program, running

SOURCE_SECONDS_MAX = 110.0

_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = {hostname}
mydestination =
local_recipient_maps =
relay_domains = *
mynetworks = 127.0.0.0/8
relayhost = [{next_hop}]:{next_hop_port}
alias_maps =
alias_database =
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtp_tls_security_level = none
smtpd_tls_security_level = none
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
lmtp      unix  - - n - - lmtp
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running instance."""

    folder: Path
    port: int
    pid: int

    @property
    def log(self) -> str:
        """What it has logged."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def queue(self) -> list[str]:
        """Return what is in its queue, one JSON object each, as `postqueue -j` prints them."""
        command = [program("postqueue"), "-c", str(self.folder / "etc"), "-j"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.splitlines()


@contextmanager
def postfix(
    next_hop_port: int,
    *,
    next_hop: str = "127.0.0.1",
    hostname: str = "postfix.lab.test",
    settings: Mapping[str, str] | None = None,
    port: int = 0,
) -> Iterator[Postfix]:
    """Run a Postfix that relays all it is given to one host and port; `settings` are added to main.cf.

    Errors: PeerUnavailable.
    """
    program("postfix")
    if os.geteuid() != 0:
        raise PeerUnavailable("Postfix starts as root only: run the tests as root")
    with open_folder("postfix") as folder:
        port = port or free_port()
        _lay(folder)
        lines = _MAIN.format(folder=folder, hostname=hostname, next_hop=next_hop, next_hop_port=next_hop_port)
        lines += "".join(f"{name} = {value}\n" for name, value in (settings or {}).items())
        (folder / "etc/main.cf").write_text(lines)
        (folder / "etc/master.cf").write_text(_MASTER.format(port=port))
        master = ["/usr/lib/postfix/sbin/master", "-c", str(folder / "etc"), "-d"]
        with running(master, lambda: greets(port), folder / "log") as process:
            yield Postfix(folder, port, process.pid)


def _lay(folder: Path) -> None:
    """Make the folders of an instance with the owners that Postfix asks for: what `postfix check` does in 2.5 s."""
    for name in ("etc", "queue", "queue/pid"):
        (folder / name).mkdir(mode=0o755)
    for name in ("data", *(f"queue/{queue}" for queue in _QUEUES)):
        (folder / name).mkdir(mode=0o700)
        shutil.chown(folder / name, "postfix")
    for name, mode in (("queue/maildrop", 0o730), ("queue/public", 0o710)):
        (folder / name).mkdir()
        shutil.chown(folder / name, "postfix", "postdrop")
        (folder / name).chmod(mode)


def smtp_source(
    port: int,
    *,
    messages: int,
    sessions: int = 1,
    sender: str = "source@lab.test",
    recipient: str = "sink@example.test",
    size_octets: int = 4096,
    recipients_count: int = 1,
    is_many_a_connection: bool = True,
) -> float:
    """Send messages with Postfix's load client; return the seconds it took. It stops at the first refusal.

    Errors: AssertionError, with what it said, when it did not end well.
    """
    options = {"-s": sessions, "-m": messages, "-l": size_octets, "-f": sender, "-t": recipient, "-r": recipients_count}
    command = [program("smtp-source"), *(word for key, value in options.items() for word in (key, str(value)))]
    command += ["-d"] if is_many_a_connection else []
    begun = os.times().elapsed
    done = subprocess.run(
        [*command, f"127.0.0.1:{port}"], capture_output=True, text=True, timeout=SOURCE_SECONDS_MAX, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"smtp-source ended with {done.returncode}: {said}"
    assert not re.search(r"fatal|bad|error", said, re.IGNORECASE), said
    return os.times().elapsed - begun
