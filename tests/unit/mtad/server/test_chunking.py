"""What BDAT says, and what is kept of chunks; tests/dialog/transcripts/chunks*.txt have the replies."""

from __future__ import annotations

import pytest

from mtad.server.chunking import ChunkReader, ChunkSize, parse_bdat
from mtad.server.framing import OctetBudget, Spoilt

SIZE_MAX = 100


def reader(budget: OctetBudget | None = None, *, is_binary: bool = False) -> ChunkReader:
    budget = budget or OctetBudget(1000)
    return ChunkReader(budget, size_octets_max=SIZE_MAX, line_octets_max=50, latest=0.0, is_binary=is_binary)


def read(*chunks: bytes, is_binary: bool = False) -> bytes | Spoilt:
    taken = reader(is_binary=is_binary)
    for chunk in chunks:
        taken.expect(len(chunk))
        taken.feed(chunk)
    return taken.finish()


@pytest.mark.parametrize(
    ("argument", "size"),
    [
        ("0", ChunkSize(0, is_last=False)),
        ("007", ChunkSize(7, is_last=False)),
        ("12 LAST", ChunkSize(12, is_last=True)),
        ("12   last", ChunkSize(12, is_last=True)),
        ("99999999999999999999", ChunkSize(10**20 - 1, is_last=False)),
        ("", None),
        ("+1", None),
        ("1e3", None),
        ("1 LAST 2", None),
        ("٣", None),
    ],
)
def test_parse(argument: str, size: ChunkSize | None) -> None:
    assert parse_bdat(argument) == size


@pytest.mark.parametrize(
    ("chunks", "content"),
    [
        ((), b""),
        ((b"", b""), b""),
        ((b"a: b\r", b"\n\r\n.\r\n..", b"\r\n"), b"a: b\r\n\r\n.\r\n..\r\n"),
        ((b"a: b\r\n\r\ntext",), b"a: b\r\n\r\ntext\r\n"),
        ((b"a\r",), Spoilt.BARE),
        ((b"a\r", b"b\r\n"), Spoilt.BARE),
        ((b"a\n",), Spoilt.BARE),
        ((b"a\0b\r\n",), Spoilt.NUL),
        ((b"x" * 30, b"x" * 30), Spoilt.LINE_TOO_LONG),
        ((b"x" * 48 + b"\r\n",) * 2, (b"x" * 48 + b"\r\n") * 2),
        ((b"x" * 48 + b"\r\n",) * 3, Spoilt.TOO_LARGE),
    ],
)
def test_text(chunks: tuple[bytes, ...], content: bytes | Spoilt) -> None:
    assert read(*chunks) == content


@pytest.mark.parametrize(
    ("content", "is_taken"),
    [
        (b"a: b\r\n\r\n\0\n\r" + b"x" * 60, True),
        (b"\r\n\0", True),
        (b"a: b", True),
        (b"", True),
        (b"a: \0\r\n\r\n", False),
        (b"a\n\r\n\r\n", False),
        (b"a: b\r\n\0", False),
        (b"x" * 60 + b"\r\n\r\n", False),
    ],
)
def test_binary_content_has_lines_in_its_header_section_alone(content: bytes, is_taken: bool) -> None:
    found = read(content, is_binary=True)
    assert (found == content) if is_taken else isinstance(found, Spoilt)


def test_a_chunk_that_is_too_large_is_not_kept_at_all() -> None:
    budget = OctetBudget(1000)
    taken = reader(budget)
    taken.expect(60)
    taken.feed(b"x" * 60)
    assert (taken.is_spoilt, budget.octets) == (False, 60)
    taken.expect(41)
    assert (taken.is_spoilt, budget.octets) == (True, 0)
    taken.feed(b"x" * 41)
    assert (taken.octets_count, budget.octets, taken.finish()) == (101, 0, Spoilt.TOO_LARGE)


def test_what_is_taken_is_given_back_once() -> None:
    budget = OctetBudget(1000)
    taken = reader(budget)
    taken.feed(b"text")
    assert taken.finish() == b"text\r\n"
    assert budget.octets == 4
    taken.release()
    taken.release()
    assert budget.octets == 0
