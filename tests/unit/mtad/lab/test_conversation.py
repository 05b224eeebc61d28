"""The sink's side of a session, octet by octet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.lab.conversation import (
    COMMAND_OCTETS_MAX,
    AfterDot,
    Conversation,
    Program,
    Step,
    Taken,
    changed,
    lab_id_of,
)

MESSAGE = b"Message-ID: <1@example.test>\r\nSubject: one\r\n\r\nHello\r\n"


class Peer:
    """Feeds a conversation and keeps what it did."""

    def __init__(self, program: Program | None = None, *, is_lmtp: bool = False) -> None:
        self.program = program or Program()
        self.conversation = Conversation(lambda: self.program, is_lmtp=is_lmtp, hostname="sink.test")
        self.taken: list[Taken] = []
        self.delays: list[float] = []
        self.is_closed = False

    def say(self, *octets: bytes) -> list[str]:
        """Send the pieces one after another; return the replies' lines."""
        out = b""
        for piece in octets:
            self.conversation.feed(piece)
            while not self.is_closed and (step := self.conversation.next_step()) is not None:
                out += self._do(step)
        return out.decode().splitlines()

    def _do(self, step: Step) -> bytes:
        self.taken += step.taken
        if step.delay_seconds:
            self.delays.append(step.delay_seconds)
        self.is_closed = step.is_closing
        return step.octets


def codes(lines: list[str]) -> list[int]:
    return [int(line[:3]) for line in lines]


ENVELOPE = b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"


def test_takes_a_message_and_names_it() -> None:
    peer = Peer()
    assert peer.say(b"EHLO me\r\n")[-1] == "250 CHUNKING"
    assert codes(peer.say(ENVELOPE, b"DATA\r\n")) == [250, 250, 354]
    assert codes(peer.say(MESSAGE + b".\r\n")) == [250]
    assert peer.taken == [Taken("<1@example.test>", "a@x.test", ("b@y.test",), MESSAGE)]
    assert codes(peer.say(b"QUIT\r\n")) == [221]
    assert peer.is_closed


def test_pipelined_commands_are_answered_one_by_one_in_order() -> None:
    peer = Peer(Program(rcpt={"no@y.test": 550}))
    lines = peer.say(b"EHLO me\r\n" + ENVELOPE + b"RCPT TO:<no@y.test>\r\nDATA\r\n")
    assert codes(lines)[-4:] == [250, 250, 550, 354]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_octets_may_arrive_in_any_pieces(size: int) -> None:
    whole = (
        ENVELOPE
        + b"DATA\r\n"
        + b"X-Lab-Id: n\r\n\r\n..dot\r\n.\r\n"
        + ENVELOPE
        + b"BDAT 3\r\nX-LBDAT 9 LAST\r\nab-Id: m\n"
    )
    peer = Peer()
    lines = peer.say(*(whole[i : i + size] for i in range(0, len(whole), size)))
    assert codes(lines) == [250, 250, 354, 250, 250, 250, 250, 250]
    assert [taken.lab_id for taken in peer.taken] == ["n", "m"]
    assert peer.taken[0].content == b"X-Lab-Id: n\r\n\r\n.dot\r\n"
    assert peer.taken[1].content == b"X-Lab-Id: m\n"


@pytest.mark.parametrize(
    ("content", "kept"),
    [(b"..\r\n", b".\r\n"), (b"..a\r\n..b\r\n", b".a\r\n.b\r\n"), (b"a.\r\n", b"a.\r\n"), (b"", b"")],
)
def test_dots_are_unstuffed(content: bytes, kept: bytes) -> None:
    peer = Peer()
    peer.say(ENVELOPE, b"DATA\r\n", content + b".\r\n")
    assert peer.taken[0].content == kept


def test_smtp_answers_the_dot_once_with_the_worst_code() -> None:
    peer = Peer(Program(dot={"b@y.test": 250, "c@y.test": 451}))
    assert codes(peer.say(ENVELOPE, b"RCPT TO:<c@y.test>\r\nDATA\r\n", b"x\r\n.\r\n"))[-1] == 451
    assert peer.taken == []


def test_lmtp_answers_the_dot_for_each_recipient() -> None:
    peer = Peer(Program(dot={"c@y.test": 452}), is_lmtp=True)
    assert codes(peer.say(b"LHLO me\r\n"))[-1] == 250
    assert codes(peer.say(ENVELOPE, b"RCPT TO:<c@y.test>\r\nDATA\r\n", b"x\r\n.\r\n"))[-2:] == [250, 452]
    assert [taken.recipients for taken in peer.taken] == [("b@y.test",)]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"RCPT TO:<b@y.test>\r\n", 503),
        (b"DATA\r\n", 503),
        (ENVELOPE + b"MAIL FROM:<>\r\n", 503),
        (b"MAIL FROM a\r\n", 501),
        (b"RCPT FOR:<b@y.test>\r\n", 501),
        (b"BDAT x\r\n", 501),
        (b"BDAT 1 LAST\r\nx", 503),
        (b"WHAT\r\n", 500),
        (b"HELO me\r\n", 250),
        (b"NOOP\r\n", 250),
        (ENVELOPE + b"RSET\r\nDATA\r\n", 503),
        (b"x" * COMMAND_OCTETS_MAX, 421),
        (ENVELOPE + b"BDAT 999999999 LAST\r\n", 552),
    ],
)
def test_answers_what_is_out_of_order(said: bytes, code: int) -> None:
    assert codes(Peer().say(said))[-1] == code


def test_a_message_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtad.lab.conversation.MESSAGE_OCTETS_MAX", 100)
    peer = Peer()
    assert codes(peer.say(ENVELOPE, b"DATA\r\n", b"x" * 101))[-1] == 552
    assert peer.is_closed


def test_a_message_has_a_largest_number_of_recipients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtad.lab.conversation.RECIPIENTS_MAX", 1)
    assert codes(Peer().say(ENVELOPE, b"RCPT TO:<c@y.test>\r\n"))[-1] == 452


def test_a_greeting_may_refuse() -> None:
    peer = Peer(Program(greeting=421))
    step = peer.conversation.greet()
    assert (step.octets[:3], step.is_closing) == (b"421", True)
    assert Peer().conversation.greet().octets.startswith(b"220 sink.test ESMTP")


def test_mail_may_be_refused() -> None:
    assert codes(Peer(Program(mail=450)).say(ENVELOPE)) == [450, 503]


def test_close_after_the_dot_takes_the_message_and_says_nothing() -> None:
    peer = Peer(Program(after_dot=AfterDot.CLOSE))
    assert codes(peer.say(ENVELOPE, b"DATA\r\n", MESSAGE + b".\r\n")) == [250, 250, 354]
    assert peer.is_closed
    assert len(peer.taken) == 1


def test_hang_takes_nothing_and_never_replies() -> None:
    peer = Peer(Program(after_dot=AfterDot.HANG))
    peer.say(ENVELOPE, b"DATA\r\n", MESSAGE + b".\r\n")
    assert (peer.taken, peer.delays) == ([], [float("inf")])


def test_a_change_reaches_an_open_session() -> None:
    peer = Peer(Program(delay_seconds=0.5))
    assert codes(peer.say(ENVELOPE, b"DATA\r\n", MESSAGE + b".\r\n"))[-1] == 250
    assert peer.delays == [0.5]
    peer.program = Program(dot={"": 451})
    assert codes(peer.say(ENVELOPE, b"DATA\r\n", MESSAGE + b".\r\n"))[-1] == 451


@pytest.mark.parametrize(
    ("content", "lab_id"),
    [
        (b"Message-ID: <m@x>\r\nX-Lab-Id: n\r\n\r\n", "n"),
        (b"message-id:<m@x>\r\n\r\nX-Lab-Id: body\r\n", "<m@x>"),
        (b"Subject: X-Lab-Id: no\r\n\r\n", ""),
        (b"X-Lab-Id: only header", "only header"),
        (b"", ""),
    ],
)
def test_the_id_is_read_from_the_header_section(content: bytes, lab_id: str) -> None:
    assert lab_id_of(content) == lab_id


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("dot 451", Program(dot={"": 451})),
        ("dot 452 b@y.test", Program(dot={"b@y.test": 452})),
        ("rcpt 550 b@y.test", Program(rcpt={"b@y.test": 550})),
        ("mail 450", Program(mail=450)),
        ("greeting 421", Program(greeting=421)),
        ("after-dot close", Program(after_dot=AfterDot.CLOSE)),
        ("delay 2.5", Program(delay_seconds=2.5)),
    ],
)
def test_a_command_changes_the_program(command: str, expected: Program) -> None:
    assert changed(Program(), command.split()) == expected
    assert changed(expected, ["reset"]) == Program()


def test_commands_add_up() -> None:
    first = changed(Program(), ["dot", "451"])
    assert isinstance(first, Program)
    assert changed(first, ["delay", "1"]) == replace(first, delay_seconds=1.0)


@pytest.mark.parametrize("command", ["", "dot", "dot 99", "dot 351", "dot 451 a b", "delay -1", "after-dot sing", "x"])
def test_a_command_that_is_not_understood_says_which_are(command: str) -> None:
    answer = changed(Program(), command.split())
    assert isinstance(answer, str)
    assert "dot CODE" in answer
