"""A running node, its workers processes of their own: what its policy asks of maps and of DNS."""

from __future__ import annotations

import asyncio
import smtplib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.map_servers import CLOSE, netstring, serving_socketmap
from tests.fakes.name_server import NameServer
from tests.peers.mtad import DOMAIN, MtadNode, single
from tests.peers.process import open_folder, wait_until

POLICY = """require ["variables", "envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup", "vnd.mtad.dns",
         "vnd.mtad.queue"];

stage "mail" {
    if envelope :domain :matches "from" "*" {
        if dnsbl :name "${1}" :txt "why" :matches "list.test" "127.*" { ereject "Listed: ${why}"; }
    }
}

stage "rcpt" {
    if not validrcpt { ereject :enhanced "5.1.1" "User unknown"; }
    if lookup "map:quota" "${envelope.to}" "full" { tempfail :enhanced "4.2.2" "Mailbox full"; }
}

stage "deliver" { queue; }
"""
ZONE = {"bad.test.list.test": {"A": ("127.0.0.2",), "TXT": ('"bad indeed"',)}}
ANN, BOB = f"ann@{DOMAIN}", f"bob@{DOMAIN}"


@dataclass
class Quotas:
    """A program that knows whose mailbox is full."""

    is_down: bool = False

    def __call__(self, question: bytes) -> bytes:
        if self.is_down:
            return CLOSE
        return netstring(b"OK full" if question == f"users {BOB}".encode() else b"NOTFOUND ")


def said(node: MtadNode, recipient: str, sender: str = "a@good.test") -> str:
    """Return what a recipient, or its sender, is answered."""
    with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=60) as client:
        client.ehlo("client.test")
        code, text = client.mail(sender)
        if code == 250:
            code, text = client.rcpt(recipient)
    return f"{code} {text.decode()}"


@pytest.mark.timeout(120)
async def test_a_policy_that_asks() -> None:
    quotas = Quotas()
    async with NameServer(ZONE) as names, serving_socketmap(quotas) as server:
        with open_folder("maps") as folder:
            users = folder / "users"
            users.write_text(f"{ANN}\n")
            maps = {"recipients": f"file:{users}", "quota": f"socketmap:inet:127.0.0.1:{server.port}:users"}
            extra = {
                "node": {"workers": 2},
                "dns": {"servers": [f"127.0.0.1:{names.port}"], "timeout_seconds": 1},
                "policy": {"maps": maps},
            }
            await asyncio.to_thread(ask, extra, users, quotas)


def ask(extra: dict[str, dict[str, object]], users: Path, quotas: Quotas) -> None:
    with single(POLICY, extra) as node:
        assert said(node, ANN) == "250 2.1.5 Recipient ok"
        assert said(node, BOB) == "550 5.1.1 User unknown"
        assert said(node, ANN, "x@bad.test") == "550 5.7.1 Listed: bad indeed"
        (users.parent / "new").write_text(f"{ANN}\n{BOB}\n")
        (users.parent / "new").rename(users)
        wait_until(lambda: said(node, BOB) == "451 4.2.2 Mailbox full", "the file is read again", node.log)
        quotas.is_down = True
        assert said(node, ANN).startswith("451 4.3.0 Local error, ref ")
        assert "event=map.read map=recipients" in node.log.read_text()
        assert 'why="ScriptFailed: map:quota: IncompleteReadError' in node.log.read_text()
