"""Command lines and contents come out the same however the octets are cut."""

from __future__ import annotations

import pytest

from mtad.server.framing import BadLine, CommandLines, ContentReader, OctetBudget, Spoilt


def lines_of(octets: bytes, step: int, octets_max: int = 40) -> list[bytes | BadLine]:
    lines = CommandLines(octets_max)
    found = []
    for at in range(0, len(octets), step):
        lines.feed(octets[at : at + step])
        while (line := lines.next()) is not None:
            found.append(line)
    return found


def read(octets: bytes, step: int, *, size_octets_max: int = 10_000, budget: OctetBudget | None = None):
    """Return the content, or why it is spoilt, and what follows it."""
    budget = budget or OctetBudget(1_000_000)
    reader = ContentReader(budget, size_octets_max=size_octets_max, line_octets_max=2000)
    for at in range(0, len(octets), step):
        rest = reader.feed(octets[at : at + step])
        if rest is not None:
            content = reader.finish()
            reader.release()
            return content, rest + octets[at + step :]
    reader.release()
    return None


STEPS = [1, 2, 3, 4, 5, 7, 4095, 4096, 100_000]


@pytest.mark.parametrize("step", STEPS)
class TestCommandLines:
    def test_ends_lines_at_crlf(self, step: int) -> None:
        assert lines_of(b"EHLO a\r\n\r\nNOOP\r\nQUI", step) == [b"EHLO a", b"", b"NOOP"]

    @pytest.mark.parametrize("line", [b"NOOP\n", b"\n", b"NO\rOP\r\n", b"NOOP\r\r\n"])
    def test_refuses_a_cr_or_lf_alone_and_goes_on(self, step: int, line: bytes) -> None:
        assert lines_of(line + b"RSET\r\n", step) == [BadLine.BARE, b"RSET"]

    @pytest.mark.parametrize("length", [39, 40, 41, 500, 5000])
    def test_resynchronises_after_a_line_that_is_too_long(self, step: int, length: int) -> None:
        found = lines_of(b"x" * length + b"\r\nRSET\r\n", step)
        assert found == [BadLine.TOO_LONG, b"RSET"]

    def test_takes_the_longest_line(self, step: int) -> None:
        assert lines_of(b"x" * 38 + b"\r\n", step) == [b"x" * 38]


def test_keeps_little_of_a_line_without_end() -> None:
    lines = CommandLines(512)
    for _ in range(1000):
        lines.feed(b"x" * 100)
        assert lines.next() is None
        assert len(lines.take()) <= 512 + 100 or lines.is_empty


def test_what_follows_a_command_can_be_taken() -> None:
    lines = CommandLines(512)
    lines.feed(b"DATA\r\nfoo")
    assert lines.next() == b"DATA"
    assert not lines.is_empty
    assert lines.take() == b"foo"
    assert lines.is_empty


def test_so_much_of_what_follows_can_be_taken() -> None:
    lines = CommandLines(512)
    lines.feed(b"BDAT 3\r\nfooNOOP\r\nBDAT 9\r\nba")
    assert lines.next() == b"BDAT 3"
    assert lines.take(3) == b"foo"
    assert lines.next() == b"NOOP"
    assert lines.next() == b"BDAT 9"
    assert lines.take(0) == b""
    assert lines.take(9) == b"ba"
    assert lines.is_empty
    assert lines.take(9) == b""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "line", [b"BDAT 5\n", b"bdat 5\r\r\n", b"Bdat " + b"5" * 40 + b"\r\n", b"BDAT" + b" " * 999 + b"\n"]
)
def test_a_size_that_cannot_be_read_is_told_from_other_bad_lines(step: int, line: bytes) -> None:
    assert lines_of(line + b"NOOP\n", step)[0] is BadLine.CHUNK
    assert lines_of(b"x" + line + b"NOOP\n", step)[0] is not BadLine.CHUNK


@pytest.mark.parametrize("step", STEPS)
class TestContent:
    @pytest.mark.parametrize(
        ("octets", "content"),
        [
            (b".\r\n", b""),
            (b"\r\n.\r\n", b"\r\n"),
            (b"a: b\r\n\r\nfoo\r\n.\r\n", b"a: b\r\n\r\nfoo\r\n"),
            (b"..\r\n.\r\n", b".\r\n"),
            (b"foo\r\n..\r\n...\r\n.bar\r\n.\r\n", b"foo\r\n.\r\n..\r\nbar\r\n"),
            (b"\xff\xfe\r\n.\r\n", b"\xff\xfe\r\n"),
        ],
    )
    def test_ends_at_the_dot(self, step: int, octets: bytes, content: bytes) -> None:
        assert read(octets + b"QUIT\r\n", step) == (content, b"QUIT\r\n")

    # hannob/smtpsmug and The-Login/SMTP-Smuggling-Tools: none of these ends the data.
    @pytest.mark.parametrize(
        "smuggled",
        [
            b"\n.\n",
            b"\r.\r",
            b"\r.\r\n",
            b"\r.\n",
            b"\n.\r",
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r\n.\r",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\r\n.\r\r\n",
            b"\r\r\n.\n",
        ],
    )
    def test_no_other_sequence_ends_it(self, step: int, smuggled: bytes) -> None:
        inner = b"foo" + smuggled + b"MAIL FROM:<x@example.com>\r\nRCPT TO:<y@example.com>\r\nDATA\r\nbar"
        content, rest = read(inner + b"\r\n.\r\nQUIT\r\n", step)
        assert content in (Spoilt.BARE, Spoilt.NUL)
        assert rest == b"QUIT\r\n"

    def test_counts_a_content_that_is_too_large_without_keeping_it(self, step: int) -> None:
        budget = OctetBudget(10_000)
        assert read(b"x" * 997 + b"\r\n" + b"y\r\n.\r\n", step, size_octets_max=1000, budget=budget) == (
            Spoilt.TOO_LARGE,
            b"",
        )
        assert read(b"x" * 998 + b"\r\n.\r\n", step, size_octets_max=1000)[0] == b"x" * 998 + b"\r\n"
        assert budget.octets == 0

    def test_refuses_what_the_process_has_no_room_for(self, step: int) -> None:
        budget = OctetBudget(500)
        assert read(b"x" * 600 + b"\r\n.\r\n", step, budget=budget) == (Spoilt.NO_ROOM, b"")
        assert budget.octets == 0

    def test_passes_long_lines_up_to_the_limit(self, step: int) -> None:
        assert read(b"a\r\n" + b"x" * 1998 + b"\r\nb\r\n.\r\n", step)[0] == b"a\r\n" + b"x" * 1998 + b"\r\nb\r\n"
        assert read(b"a\r\n" + b"x" * 1999 + b"\r\nb\r\n.\r\n", step)[0] == Spoilt.LINE_TOO_LONG


def test_the_terminator_is_found_across_every_edge_of_a_chunk() -> None:
    for edge in (4095, 4096, 65535, 65536):
        for shift in range(-6, 7):
            content = b"x" * (edge + shift - 2) + b"\r\n"
            assert read(content + b".\r\nNOOP\r\n", edge, size_octets_max=100_000) is not None
            reader = ContentReader(OctetBudget(1 << 20), size_octets_max=1 << 20, line_octets_max=1 << 20)
            octets = content + b".\r\nNOOP\r\n"
            rest = reader.feed(octets[:edge])
            rest = reader.feed(octets[edge:]) if rest is None else rest + octets[edge:]
            assert (reader.finish(), rest) == (content, b"NOOP\r\n")


def test_gives_back_what_it_took() -> None:
    budget = OctetBudget(1000)
    reader = ContentReader(budget, size_octets_max=1000, line_octets_max=1000)
    reader.feed(b"x" * 400)
    assert budget.octets == 400
    assert not budget.has(601)
    reader.release()
    assert budget.octets == 0
