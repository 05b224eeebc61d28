"""The real peers themselves: that what the other integration tests lean on carries."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mtad.lab.conversation import Program, Taken
from mtad.lab.sink import Sink
from tests.peers.dovecot import Dovecot, dovecot
from tests.peers.postfix import postfix, smtp_source
from tests.peers.process import PeerUnavailable, program, running, wait_until

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def mailbox_server() -> Iterator[Dovecot]:
    with dovecot() as running_dovecot:
        yield running_dovecot


class NextHop(NamedTuple):
    sink: Sink
    port: int
    taken: list[Taken]


@pytest.fixture
async def next_hop() -> AsyncIterator[NextHop]:
    taken: list[Taken] = []
    sink = Sink(taken.append)
    yield NextHop(sink, await sink.listen(), taken)
    await sink.close()


async def test_smtp_source_through_postfix_into_the_sink(next_hop: NextHop) -> None:
    _, port, taken = next_hop

    def load() -> str:
        with postfix(port) as relay:
            smtp_source(relay.port, messages=20, sessions=4)
            wait_until(lambda: len(taken) == 20 and not relay.queue(), "Postfix has relayed all", relay.folder / "log")
            return relay.log

    log = await asyncio.to_thread(load)
    assert {message.recipients for message in taken} == {("sink@example.test",)}
    assert log.count("status=sent") == 20
    assert b"by postfix.lab.test (Postfix)" in taken[0].content


async def test_postfix_keeps_what_the_sink_refuses_for_now(next_hop: NextHop) -> None:
    sink, port, taken = next_hop
    sink.program = Program(dot={"": 451})

    def load() -> int:
        with postfix(port) as relay:
            smtp_source(relay.port, messages=3)
            wait_until(lambda: relay.log.count("status=deferred") >= 3, "Postfix defers", relay.folder / "log")
            kept = len(relay.queue())
            sink.program = Program()
            wait_until(lambda: len(taken) == 3, "Postfix tries again", relay.folder / "log")
            return kept

    assert await asyncio.to_thread(load) == 3


async def test_smtp_source_says_when_it_is_refused(next_hop: NextHop) -> None:
    next_hop.sink.program = Program(rcpt={"": 550})
    with pytest.raises(AssertionError, match="550"):
        await asyncio.to_thread(smtp_source, next_hop.port, messages=1)


def test_lmtp_into_dovecot_by_hand(mailbox_server: Dovecot) -> None:
    with socket.create_connection(("127.0.0.1", mailbox_server.port), timeout=20) as peer:
        lines = peer.makefile("rb")

        def say(octets: bytes, replies: int) -> list[bytes]:
            peer.sendall(octets)
            said = []
            while len(said) < replies:
                line = lines.readline()
                assert line, mailbox_server.log
                if line[3:4] == b" ":
                    said.append(line[:9])
            return said

        assert [line[:4] for line in say(b"LHLO me\r\n", 2)] == [b"220 ", b"250 "]
        assert say(b"MAIL FROM:<a@x.test>\r\n", 1) == [b"250 2.1.0"]
        recipients = b"RCPT TO:<alice@local.test>\r\nRCPT TO:<nobody@local.test>\r\nRCPT TO:<bob@local.test>\r\n"
        assert say(recipients, 3) == [b"250 2.1.5", b"550 5.1.1", b"250 2.1.5"]
        assert say(b"DATA\r\n", 1)[0].startswith(b"354")
        assert say(b"Subject: by hand\r\n\r\nHello\r\n.\r\n", 2) == [b"250 2.0.0", b"250 2.0.0"]
        say(b"QUIT\r\n", 1)
    for user in ("alice", "bob"):
        (message,) = mailbox_server.messages(user)
        assert b"Subject: by hand" in message


def test_a_program_that_is_missing_fails_the_test_and_says_what_to_do() -> None:
    with pytest.raises(PeerUnavailable, match="make peers"):
        program("no-such-mail-program")


def test_a_program_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        pytest.raises(PeerUnavailable, match=r"(?s)ended with 3.*why it ended"),
        running(["/bin/sh", "-c", "echo why it ended; exit 3"], lambda: False, log),
    ):
        pass
