"""A private Dovecot: takes mail by LMTP into maildirs, and tells Postfix who logs in. It runs as root or as a user."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtad.lab.ports import free_port
from tests.peers.process import greets, open_folder, program, running

_CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
auth_username_format = {username}
first_valid_uid = 0
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_login_user = {login_user}
mail_location = maildir:~/Maildir
{proxy}
passdb {{
  driver = passwd-file
  args = username_format=%n {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {folder}/users
  default_fields = uid={mail_user} gid={mail_group} home={folder}/mail/%n
}}
protocol lmtp {{
  postmaster_address = postmaster@local.test
}}
service lmtp {{
  user = {lmtp_user}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
auth_mechanisms = plain login scram-sha-256
service auth {{
  unix_listener {folder}/auth {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
_PROXY = """\
lmtp_proxy = yes
lmtp_proxy_rawlog_dir = {folder}/raw
passdb {{
  driver = static
  args = proxy=y host=127.0.0.1 port={port} protocol=smtp nopassword=y
}}"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running instance."""

    folder: Path
    port: int
    pid: int

    def messages(self, user: str) -> list[bytes]:
        """Return what has been delivered to a user."""
        return [path.read_bytes() for path in sorted((self.folder / "mail" / user / "Maildir/new").glob("*"))]

    @property
    def logins(self) -> Path:
        """Where it is asked who logs in; all users have the password "secret"."""
        return self.folder / "auth"

    @property
    def said(self) -> str:
        """What it has said to whom it passed mail on to; each line has its time before it."""
        return "".join(path.read_text(errors="replace") for path in sorted((self.folder / "raw").glob("*.out")))

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def dovecot(users: Sequence[str] = ("alice", "bob"), *, smtp_port: int = 0) -> Iterator[Dovecot]:
    """Run a Dovecot that takes mail for these local parts of any domain, or all mail and passes it on by SMTP.

    Errors: PeerUnavailable.
    """
    with open_folder("dovecot") as folder:
        port = free_port()
        for name in ("mail", "raw", "run", "state"):
            (folder / name).mkdir(mode=0o755)
        names = _as_root(folder) if os.geteuid() == 0 else _as_ordinary_user()
        names |= {"username": "%Lu" if smtp_port else "%Ln"}
        names |= {"proxy": _PROXY.format(folder=folder, port=smtp_port) if smtp_port else ""}
        (folder / "users").write_text("".join(f"{user}:{{PLAIN}}secret::::::\n" for user in users))
        (folder / "dovecot.conf").write_text(_CONFIGURATION.format(folder=folder, port=port, **names))
        command = [program("dovecot"), "-F", "-c", str(folder / "dovecot.conf")]
        with running(command, lambda: greets(port), folder / "log") as process:
            yield Dovecot(folder, port, process.pid)


def _as_root(folder: Path) -> dict[str, str]:
    """Return whom its processes run as when root starts it; mail belongs to nobody."""
    nobody = pwd.getpwnam("nobody")
    os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
    return {
        "internal_user": "dovecot",
        "internal_group": "dovecot",
        "login_user": "dovenull",
        "mail_user": str(nobody.pw_uid),
        "mail_group": str(nobody.pw_gid),
        "lmtp_user": "root",
    }


def _as_ordinary_user() -> dict[str, str]:
    """Return whom its processes run as otherwise: the one who starts it."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    group = grp.getgrgid(os.getegid()).gr_name
    return {
        "internal_user": user,
        "internal_group": group,
        "login_user": user,
        "mail_user": user,
        "mail_group": group,
        "lmtp_user": user,
    }
