"""PRDR with a real Exim: as the client that asks for it, and as the next hop that refuses some (draft-hall-prdr-00)."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtad.lab.ports import free_port
from mtad.startup.provision import make_server_certificate
from tests.fakes.scripted_server import Script, ScriptedServer
from tests.peers.exim import exim
from tests.peers.mtad import policy_to, single
from tests.peers.process import wait_until
from tests.peers.relay import PLAIN, Errand, Relay

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

SENDER = "you@mtad.test"
ONE, FULL, BUSY = (f"{name}@{PLAIN}" for name in ("one", "full", "busy"))
TOLD = {
    ONE: ("=>", " PRDR ", "250 2.0.0 Ok for some recipients"),
    FULL: ("**", "552 5.2.2 Full"),
    BUSY: ("==", "452 4.2.1 Busy"),
}


@contextmanager
def an_exim(folder: Path, *, our_port: int = 1, onward_port: int = 1) -> Iterator[Relay]:
    pair = make_server_certificate("lab.test", folder)
    with exim(Errand(free_port(), our_port, onward_port, pair.certificate, pair.key)) as relay:
        yield relay


def send(port: int, recipients: Sequence[str]) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        content = b"From: you@mtad.test\r\nSubject: prdr\r\n\r\nhello\r\n"
        assert client.sendmail(SENDER, list(recipients), content) == {}


def has_logged(relay: Relay, recipient: str, *words: str) -> bool:
    lines = [line for line in relay.log.splitlines() if recipient in line]
    return any(all(word in line for word in words) for line in lines)


async def test_an_exim_that_sends_to_us_hears_of_each_recipient(tmp_path: Path) -> None:
    script = Script(is_lmtp=True, dots={FULL: "552 5.2.2 Full", BUSY: "452 4.2.1 Busy"})
    async with ScriptedServer(script) as behind, ScriptedServer() as onward:
        await asyncio.to_thread(from_exim, tmp_path, behind.port, onward.port)
        taken = [set(message.recipients) for message in behind.messages]
    assert taken[0] == {ONE, FULL, BUSY}
    assert all(one == {BUSY} for one in taken[1:]), "who was delayed comes again, and nobody else"


def from_exim(folder: Path, behind_port: int, onward_port: int) -> None:
    """Have Exim send one message to all; it is no submitter of ours, but may send on."""
    with (
        single(policy_to(behind_port, transport="lmtp").replace('stage "connect"', 'stage "rcpt"')) as node,
        an_exim(folder, our_port=node.smtp_port, onward_port=onward_port) as before,
    ):
        send(before.port, list(TOLD))
        wait_until(lambda: all(has_logged(before, to, *TOLD[to]) for to in TOLD), "all are told", before.log_path)
        assert not node.queue()
        assert "dsn." not in node.log.read_text(), "DSNs are Exim's to send"


@pytest.mark.parametrize("actions", ["", "queue;"], ids=["through", "from-the-queue"])
async def test_an_exim_that_we_send_to_is_heard_of_each_recipient(actions: str, tmp_path: Path) -> None:
    async with ScriptedServer() as onward:
        await asyncio.to_thread(to_exim, tmp_path, onward.port, actions)
        taken = [message.recipients for message in onward.messages]
    assert ("prdr-one@there.test",) in taken


def to_exim(folder: Path, onward_port: int, actions: str) -> None:
    names = ("prdr-one", "prdr-full", "prdr-busy")
    with an_exim(folder, onward_port=onward_port) as behind, single(policy_to(behind.port, actions=actions)) as node:
        send(node.smtp_port, [f"{name}@there.test" for name in names])
        told = {
            "prdr-one": ("result=delivered", "message accepted for some recipients"),
            "prdr-full": ("result=failed", "5.2.2 Full"),
            "prdr-busy": ("result=delayed", "4.2.1 Busy"),
        }

        def has_come(name: str) -> bool:
            lines = [line for line in node.log.read_text().splitlines() if f"recipient={name}@there.test" in line]
            return any("event=delivery.outcome" in line and all(word in line for word in told[name]) for line in lines)

        wait_until(lambda: all(map(has_come, names)), "each has its own outcome", node.log)
        left = {recipient["address"] for entry in node.queue() for recipient in entry["recipients"]}
        assert "prdr-busy@there.test" in left, "it is tried again"
