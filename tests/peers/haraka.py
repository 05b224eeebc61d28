"""A private Haraka, as npm installs it, which forwards each message before it answers for it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.process import greets, open_folder, program, running
from tests.peers.relay import PLAIN, TLS, Errand, Relay, beside

SIZE_OCTETS_MAX = 64 * 1024 * 1024
_SMTP = "listen=127.0.0.1:{port}\nnodes=0\ndaemonize=false\nspool_dir={folder}\ngraceful_shutdown=false\n"
_FORWARD = """\
host=127.0.0.1
port={onward_port}
enable_tls=false
one_message_per_rcpt=false

[{plain}]
host=127.0.0.1
port={our_port}
enable_tls=false

[{tls}]
host=127.0.0.1
port={our_port}
enable_tls=true
"""
_TAKE_ALL = """\
exports.register = function () { this.register_hook('rcpt', 'take'); };
exports.take = (next) => next(OK);
"""


@contextmanager
def haraka(errand: Errand) -> Iterator[Relay]:
    """Run it. Errors: PeerUnavailable."""
    script = beside("haraka/node_modules/Haraka/bin/haraka")
    with open_folder("haraka") as folder:
        for name in ("config", "plugins", "queue"):
            (folder / name).mkdir()
        files = {
            "config/smtp.ini": _SMTP.format(port=errand.port, folder=folder),
            "config/me": "haraka.lab.test\n",
            "config/plugins": "tls\ntake_all\nqueue/smtp_forward\n",
            "config/connection.ini": _connection_settings(script.parents[1] / "config/connection.ini"),
            "config/log.ini": "[main]\nlevel=info\n",
            "config/loglevel": "info\n",
            "config/tls.ini": "requestCert=false\nrejectUnauthorized=false\n",
            "config/tls_cert.pem": errand.certificate.read_text(),
            "config/tls_key.pem": errand.key.read_text(),
            "config/smtp_forward.ini": _FORWARD.format(
                our_port=errand.our_port, onward_port=errand.onward_port, plain=PLAIN, tls=TLS
            ),
            "plugins/take_all.js": _TAKE_ALL,
        }
        for name, text in files.items():
            (folder / name).write_text(text)
        _make_dh_parameters(folder / "config/dhparams.pem")
        with running([program("node"), str(script), "-c", str(folder)], lambda: greets(errand.port), folder / "log"):
            yield Relay(errand.port, folder / "log")


def _connection_settings(its_own: Path) -> str:
    """Return what it comes with, and would not start without, but for the size of a message."""
    return re.sub(r"(?m)^;? ?bytes ?=.*$", f"bytes={SIZE_OCTETS_MAX}", its_own.read_text())


def _make_dh_parameters(path: Path) -> None:
    """Make them the quick way; Haraka would spend half a minute on it."""
    command = [program("openssl"), "dhparam", "-dsaparam", "-out", str(path), "2048"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
