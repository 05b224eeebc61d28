"""Users' own programs at a node's doors for users: swaks and Python's client by PLAIN and LOGIN, GNU SASL by SCRAM."""

from __future__ import annotations

import asyncio
import os
import smtplib
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from mtad.lab.layout import PASSWORD, USER, NodeFiles
from mtad.lab.pair import Laboratory, NodeShape, running_laboratory
from tests.peers.process import open_folder, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

SWAKS_REFUSED = 28  # authentication failed
ENDS = {"starttls": "--tls", "at once": "--tls-on-connect"}


class Street(NamedTuple):
    """A laboratory with workers, and the node that users come to."""

    laboratory: Laboratory
    node: NodeFiles

    def port(self, end: str) -> int:
        return self.node.submission_port if end == "starttls" else self.node.submissions_port

    def taken(self) -> int:
        return sum(1 for _ in self.laboratory.delivered())


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    with open_folder("users") as folder:
        async with running_laboratory(folder, shape=NodeShape(workers=2)) as laboratory:
            await laboratory.wait_protected()
            node = laboratory.nodes[0].files
            yield Street(laboratory, node)


def swaks(street: Street, end: str, mechanism: str, password: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        *("swaks", "--server", f"127.0.0.1:{street.port(end)}", ENDS[end], "--to", "friend@example.test"),
        *("--auth", mechanism, "--auth-user", USER, "--auth-password", password, "--from", USER, *more),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def gsasl(street: Street, mechanism: str, password: str) -> subprocess.CompletedProcess[str]:
    command = [
        *("gsasl", "--smtp", "--connect", f"127.0.0.1:{street.port('starttls')}", "--starttls", "--no-cb"),
        *("--x509-ca-file", "", "--mechanism", mechanism, "-a", USER, "-p", password),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, input="", check=False)


async def test_users_programs(street: Street) -> None:
    await asyncio.to_thread(submit, street)
    await asyncio.to_thread(wait_until, lambda: street.taken() == 5, "all has arrived", street.node.log)


def submit(street: Street) -> None:
    for end in ENDS:
        for mechanism in ("PLAIN", "LOGIN"):
            done = swaks(street, end, mechanism, PASSWORD)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "235 2.7.0 Authentication succeeded" in done.stdout
            assert "250 2.0.0 Ok: delivered" in done.stdout
    refused = swaks(street, "starttls", "PLAIN", "wrong")
    assert refused.returncode == SWAKS_REFUSED, refused.stdout
    assert "535 5.7.8 Authentication credentials invalid" in refused.stdout
    foreign = swaks(street, "at once", "LOGIN", PASSWORD, "--from", "somebody@example.test")
    assert "550 5.7.1 Sender address is not one of ours" in foreign.stdout
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", street.port("starttls")) as client:
        client.starttls(context=trusting)
        client.login(USER, PASSWORD)
        client.sendmail(USER, ["friend@example.test"], "Subject: hello\r\n\r\ntext\r\n")


async def test_scram(street: Street) -> None:
    for mechanism in ("SCRAM-SHA-256", "PLAIN"):
        done = await asyncio.to_thread(gsasl, street, mechanism, PASSWORD)
        assert "235 2.7.0 Authentication succeeded" in done.stdout, done.stdout + done.stderr
    refused = await asyncio.to_thread(gsasl, street, "SCRAM-SHA-256", "wrong")
    assert "535 5.7.8" in refused.stdout + refused.stderr, refused.stdout + refused.stderr


async def test_a_user_that_is_added_may_come_in_at_once(street: Street) -> None:
    def mtactl(*words: str, said: str = "") -> str:
        environment = {**os.environ, "MTAD_CONFIG": str(street.node.config)}
        command = [sys.executable, "-m", "mtad.cli", "user", *words]
        return subprocess.run(command, input=said, capture_output=True, text=True, check=True, env=environment).stdout

    def authenticates(name: str, password: str) -> bool:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        with smtplib.SMTP_SSL("127.0.0.1", street.port("at once"), context=trusting) as client:
            try:
                client.login(name, password)
            except smtplib.SMTPAuthenticationError:
                return False
            return True

    def live() -> None:
        assert not authenticates("carol", "paper")
        mtactl("add", "Carol", said="paper\n")
        assert mtactl("list") == f"{USER}\ncarol\n"
        assert all(authenticates("carol", "paper") for _ in range(4)), "by each worker"
        mtactl("passwd", "carol", said="stone\n")
        assert not authenticates("carol", "paper")
        assert authenticates("carol", "stone")
        mtactl("delete", "carol")
        assert not authenticates("carol", "stone")

    await asyncio.to_thread(live)
