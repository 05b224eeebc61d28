"""A private OpenSMTPD, unpacked from Debian's package; its paths are compiled in, so it has a mount namespace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.peers.process import greets, open_folder, program, running
from tests.peers.relay import PLAIN, TLS, Errand, Relay, beside

_CONFIG = """\
smtp max-message-size 64M
pki opensmtpd.lab.test cert "{certificate}"
pki opensmtpd.lab.test key "{key}"
listen on 127.0.0.1 port {port} hostname opensmtpd.lab.test tls pki opensmtpd.lab.test
action "plain" relay host smtp+notls://127.0.0.1:{our_port}
action "tls" relay host smtp+tls://127.0.0.1:{our_port} tls no-verify
action "onward" relay host smtp+notls://127.0.0.1:{onward_port}
match from any for domain "{plain}" action "plain"
match from any for domain "{tls}" action "tls"
match from any for any action "onward"
"""
_START = """\
set -e
mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty
mount --bind {folder}/spool /var/spool/smtpd
mount -t tmpfs tmpfs /run
exec {program} -d -f {folder}/smtpd.conf
"""


@contextmanager
def opensmtpd(errand: Errand) -> Iterator[Relay]:
    """Run it; it starts as root only. Errors: PeerUnavailable."""
    smtpd = beside("opensmtpd/usr/sbin/smtpd")
    with open_folder("opensmtpd") as folder:
        (folder / "spool").mkdir(mode=0o711)
        text = _CONFIG.format(
            certificate=errand.certificate,
            key=errand.key,
            port=errand.port,
            our_port=errand.our_port,
            onward_port=errand.onward_port,
            plain=PLAIN,
            tls=TLS,
        )
        (folder / "smtpd.conf").write_text(text)
        (folder / "smtpd.conf").chmod(0o600)
        start = _START.format(folder=folder, program=smtpd)
        command = [program("unshare"), "--mount", "sh", "-c", start]
        with running(command, lambda: greets(errand.port), folder / "log"):
            yield Relay(errand.port, folder / "log")
