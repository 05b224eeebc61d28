"""Nothing that a stranger says becomes a line of its own: not a command, a reply, a field, nor a line of the log."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtad.delivery.client_commands import mail_command, rcpt_command
from mtad.delivery.client_events import Mail
from mtad.delivery.reply_parser import Broken, ReplyParser
from mtad.mail.dsn import Action, Notice, Report, Reported, compose
from mtad.mail.dsn_request import MessageRequest, RecipientRequest, Return, read_envid, read_original
from mtad.mail.envelope import Client, Envelope
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueIdSource
from mtad.mail.reply import Reply
from mtad.server.received import received_field
from mtad.telemetry.events import LineEvents
from tests.dialog.conftest import Build
from tests.dialog.wires import greeted, reply, say

QUEUE_ID = QueueIdSource(1).next(1, 1)
CONTROLS = [*range(0x20), 0x7F]
HOSTILE = st.text(st.sampled_from('ab\r\n\0\t\x7f\x85\u2028 .:<>"\\@é=+-;()') | st.characters(), max_size=40)
EXTENSIONS = {"SMTPUTF8": "", "DSN": "", "SIZE": "", "8BITMIME": ""}
LINE_END = re.compile(rb"\r\n|\r|\n|\0")
LINES = [
    b"EHLO client.ex%bample",
    b"MAIL FROM:<se%bnder@client.example>",
    b'MAIL FROM:<"se%bnder"@client.example>',
    b'MAIL FROM:<"se\\%bnder"@client.example>',
    b"MAIL FROM:<sender@client.ex%bample>",
    b"MAIL FROM:<sender@client.example> ENVID=a%bb",
    b"RCPT TO:<on%be@example.net>",
    b'RCPT TO:<"on%be"@example.net>',
    b"RCPT TO:<one@[192.0.%b2.1]>",
    b"RCPT TO:<one@example.net> ORCPT=rfc822;a%bb",
    b"RCPT TO:<one@example.net> NOTIFY=%bNEVER",
    b"VRFY on%be",
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:20].decode())
async def test_no_control_octet_gets_past_a_command(line: bytes, build: Build) -> None:
    house = await build()
    for octet in CONTROLS:
        house.rooms.policy.asked.clear()
        wire = await greeted(house.wire())
        if line.startswith(b"RCPT"):
            await say(wire, "MAIL FROM:<sender@client.example>")
        await wire.send(line % bytes([octet]) + b"\r\n")
        said = (await reply(wire))[0]
        assert said.startswith(("500 ", "501 ", "555 ", "502 ")), (octet, said)
        asked = [text for text in house.rooms.policy.asked if text != "mail sender@client.example"]
        assert not any(re.search(r"[\x00-\x1f\x7f]", text) for text in asked)
        await wire.close()


@given(HOSTILE)
def test_a_command_of_ours_is_one_line_or_none(text: str) -> None:
    request = MessageRequest(Return.FULL, "id")
    for address in (text, f"a{text}@b.test", f"a@b{text}.test"):
        made = [
            mail_command(Mail(address, is_utf8=True, request=request), EXTENSIONS),
            rcpt_command(address, RecipientRequest(original=f"rfc822;{text}"), EXTENSIONS, is_utf8=True),
        ]
        for command in made:
            if isinstance(command, bytes):
                assert LINE_END.findall(command) == [b"\r\n"]
                assert command.endswith(b"\r\n")
                assert command.count(b">") == 1


@pytest.mark.parametrize("code", ["+0D+0A", "+0a", "+00", "\\x{0D}\\x{0A}", "\\x{0}", "\\x{85}", "+C2+85"])
def test_what_is_encoded_in_a_request_is_no_line_end(code: str) -> None:
    assert read_envid(f"a{code}MAIL") in (None, f"a{code}MAIL")  # the latter holds no escape of xtext
    for address_type in ("rfc822", "utf-8"):
        found = read_original(f"{address_type};a{code}b@x.test")
        assert found is None or not re.search(r"[\x00-\x1f\x7f-\x9f]", found)


@given(st.integers(200, 599), st.lists(HOSTILE | st.just("é" * 600) | st.just("x" * 600), max_size=4))
def test_a_reply_is_lines_of_a_reply(code: int, lines: list[str]) -> None:
    octets = Reply.of(code, "", *lines).octets()
    for line in octets.split(b"\r\n")[:-1]:
        assert line[:3] == str(code).encode()
        assert not re.search(rb"[\x00-\x1f\x7f]", line)
        assert len(line) <= 510


@given(HOSTILE, HOSTILE)
def test_our_received_field_is_one_field(helo: str, address: str) -> None:
    envelope = Envelope("", Client(re.sub(r"[^0-9a-f:.]", "", address), 1, helo=helo, is_esmtp=True))
    field = received_field(envelope, hostname="mx.here.example", queue_id=QUEUE_ID, wall=0)
    first, *rest = field.split(b"\r\n")[:-1]
    assert first.startswith(b"Received: from ")
    assert all(line.startswith(b"\t") for line in rest)
    assert field.count(b"\r") == field.count(b"\n") == len(rest) + 1
    assert b"\0" not in field


def report(said: Reply, content: bytes, envid: str = "") -> bytes:
    notice = Notice("u@b.test", Action.FAILED, Outcome(Result.FAILED, said, "mx.b.test"))
    of = Reported(QUEUE_ID, "x@a.test", 1, is_sender_known=True, request=MessageRequest(Return.HEADERS, envid))
    return compose(Report("mx.here.example", of, (notice,), content, 2))


def fields(header: bytes) -> list[bytes]:
    return [line.partition(b":")[0] for line in header.split(b"\r\n") if line[:1] not in (b" ", b"\t")]


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"a\r\rb", b"x\0y", b"--", b"\xff", b"x" * 900]), max_size=5))
def test_what_a_next_hop_says_is_text_in_a_report(texts: list[bytes]) -> None:
    plain = report(Reply.of(550, "5.1.1", "No such user"), b"Subject: x\r\n\r\n")
    lines = [text.replace(b"\n", b"") for text in texts] or [b""]
    octets = b"".join(b"550-" + line + b"\r\n" for line in lines[:-1]) + b"550 " + lines[-1] + b"\r\n"
    for answer in ReplyParser().feed(octets):
        if isinstance(answer, Broken):
            continue
        made = report(answer, b"Subject: x\r\n\r\n")
        assert made.count(b"\r\n") == made.count(b"\r") == made.count(b"\n")
        assert b"\0" not in made
        assert fields(made.partition(b"\r\n\r\n")[0]) == fields(plain.partition(b"\r\n\r\n")[0])
        assert fields(_status(made)) == fields(_status(plain))
        assert all(len(line) <= 998 for line in made.split(b"\r\n"))


def _status(made: bytes) -> bytes:
    """Return the part that programs read."""
    return made.partition(b"Content-Type: message/")[2].partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]


@pytest.mark.parametrize("style", ["logfmt", "json"])
@given(text=HOSTILE)
def test_an_event_is_one_line(style: str, text: str) -> None:
    stream = io.StringIO()
    LineEvents(stream, style).emit("mail.accepted", sender=text, helo=text)  # type: ignore[arg-type]
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", written)
    assert written.encode("utf-8")
