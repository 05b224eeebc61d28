"""LMTP from a real Postfix to a node, which hands on by LMTP to a real Dovecot and to a next hop that refuses some."""

from __future__ import annotations

import asyncio
import smtplib
from contextlib import ExitStack

import pytest

from mtad.lab.ports import free_port
from tests.fakes.scripted_server import Script, ScriptedServer
from tests.peers.dovecot import dovecot
from tests.peers.mtad import POLICY, single
from tests.peers.postfix import Postfix, postfix
from tests.peers.process import open_folder, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

ROUTES = """
    if envelope :domain "to" "boxes.test" { route :host "127.0.0.1" :nomx :port %d :tls "none" "lmtp"; }
    else { route :host "127.0.0.1" :nomx :port %d :tls "none" "lmtp"; }
"""
SCRIPT = Script(is_lmtp=True, dots={"full@hop.test": "552 5.2.2 Full", "busy@hop.test": "452 4.2.1 Busy"})
TOLD = {
    "alice@boxes.test": ("status=sent", "Ok: delivered (127.0.0.1: 250 2.0.0 <alice@boxes.test>"),
    "nobody@boxes.test": ("status=bounced", "550 5.1.1"),
    "one@hop.test": ("status=sent", "250 2.0.0 Ok: delivered (127.0.0.1: 250 2.0.0 Ok: taken)"),
    "full@hop.test": ("status=bounced", "552 5.2.2 Full"),
    "busy@hop.test": ("status=deferred", "452 4.2.1 Busy"),
}


@pytest.mark.parametrize("is_unix", [True, False], ids=["unix", "tcp"])
async def test_a_postfix_hears_of_each_recipient(is_unix: bool) -> None:
    async with ScriptedServer(SCRIPT) as hop:
        assert await asyncio.to_thread(exchange, hop.port, is_unix) == 1, "Dovecot has it once"
        taken = [message.recipients for message in hop.messages if not message.mail.startswith("MAIL FROM:<>")]
    assert set(taken[0]) == {"one@hop.test", "full@hop.test", "busy@hop.test"}
    assert set(taken[1:]) <= {("busy@hop.test",)}, "who was delayed comes again, and nobody else"


def exchange(hop_port: int, is_unix: bool) -> int:
    """Have Postfix send one message to all; return how often it is in Dovecot's mailbox."""
    with ExitStack() as stack:
        boxes = stack.enter_context(dovecot(("alice",)))
        path, port = stack.enter_context(open_folder("lmtp")) / "socket", free_port()
        listen = f"lmtp://{path}" if is_unix else f"lmtp://127.0.0.1:{port}"
        extra = {"smtp": {"listen": [listen]}, "node": {"workers": 2 if is_unix else 0}}
        node = stack.enter_context(single(POLICY % (ROUTES % (boxes.port, hop_port)), extra))
        transport = f"lmtp:unix:{path}" if is_unix else f"lmtp:inet:127.0.0.1:{port}"
        before = stack.enter_context(postfix(1, settings={"default_transport": transport}))
        with smtplib.SMTP("127.0.0.1", before.port, timeout=60) as client:
            content = b"From: you@mtad.test\r\nSubject: lmtp\r\n\r\nhello\r\n"
            assert client.sendmail("you@mtad.test", list(TOLD), content) == {}
        wait_until(lambda: all(has_told(before, to, *TOLD[to]) for to in TOLD), "all are told", before.folder / "log")
        assert "dsn.queued" not in node.log.read_text(), "DSNs are Postfix's to send"
        assert not node.queue()
        return len(boxes.messages("alice"))


def has_told(before: Postfix, recipient: str, *words: str) -> bool:
    """Tell whether Postfix has logged this of a recipient."""
    lines = [line for line in before.log.splitlines() if f"to=<{recipient}>" in line]
    return any(all(word in line for word in words) for line in lines)
