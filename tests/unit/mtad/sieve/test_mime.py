from __future__ import annotations

import time

import pytest

from mtad.sieve.allowance import SHARES_MAX, Allowance, Share
from mtad.sieve.mime import PARAMETERS_MAX, PARTS_MAX, cut, field_value, text_of, transfer_decoded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text/plain", ("text", "plain", {})),
        (' Text/HTML ; Charset="us-ascii" ; x=Y', ("text", "html", {"charset": "us-ascii", "x": "Y"})),
        ("text (what) / plain; a=b (why)", ("text", "plain", {"a": "b"})),
        ('attachment; filename="a (1).txt"', ("attachment", "", {"filename": "a (1).txt"})),
        ('attachment; filename="a \\"b\\".exe"', ("attachment", "", {"filename": 'a "b".exe'})),
        ("a/b; x=1; x=2", ("a", "b", {"x": "1"})),
        ('a/b; x="open', ("a", "b", {"x": "open"})),
        ("a/b; junk; x=1", ("a", "b", {"x": "1"})),
        ("attachment; filename*=iso-8859-1'de'gr%FCn%20a", ("attachment", "", {"filename": "grün a"})),
        ('attachment; filename*1="ef.exe"; filename*0=cd', ("attachment", "", {"filename": "cdef.exe"})),
        ("attachment; f*0*=utf-8''%C3; f*1*=%A9; f*2=%41", ("attachment", "", {"f": "é%41"})),
        ("attachment; f*0=a; f*2=c", ("attachment", "", {"f": "a"})),
        ("attachment; f*=%41", ("attachment", "", {"f": "A"})),
        ("", None),
        ("; a=b", None),
    ],
)
def test_structured_fields(text: str, expected: object) -> None:
    assert field_value(text) == expected


def test_parameters_are_limited() -> None:
    value = field_value("a/b" + "".join(f"; p{number}=1" for number in range(PARAMETERS_MAX + 5)))
    assert value is not None
    assert len(value.parameters) == PARAMETERS_MAX


@pytest.mark.parametrize(
    ("octets", "encoding", "expected"),
    [
        (b"a=3D=\r\nb", "quoted-printable", b"a=b"),
        (b"Z3I=", "base64", b"gr"),
        (b"Z3\r\nI", "base64", b"gr"),
        (b"Z3I!=", "base64", b"gr"),
        (b"Z", "base64", b""),
        (b"=Z3J1ZQ==Z3J1ZQ==", "base64", b"grue"),
        (b"Z3=J1Z", "base64", b"gru"),
        (b"a= \t\r\nb =\nc", "quoted-printable", b"ab c"),
        (b"=3D", "7bit", b"=3D"),
        (b"=3D", "x-unknown", b"=3D"),
    ],
)
def test_transfer_encodings(octets: bytes, encoding: str, expected: bytes) -> None:
    assert transfer_decoded(octets, encoding) == expected


def test_text_in_a_character_set_that_is_none_is_read_as_utf8() -> None:
    assert text_of(b"gr\xfcn", "iso-8859-1") == "grün"
    assert text_of("grün".encode(), "nope") == "grün"
    assert text_of(b"gr\xfcn", "zlib") == "gr\udcfcn"


def pieces(content: bytes, boundary: str = "b") -> tuple[bytes, list[bytes], bytes]:
    found = cut(content, 0, len(content), boundary, Allowance())
    before, after = found.prologue, found.epilogue
    return content[slice(*before)], [content[slice(*part)] for part in found.parts], content[slice(*after)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"pro\r\n--b\r\none\r\n--b\r\ntwo\r\n\r\n--b--\r\nepi\r\n", (b"pro", [b"one", b"two\r\n"], b"epi\r\n")),
        (b"--b\none\n--b--", (b"", [b"one"], b"")),
        (b"--b  \none\n--bc\ntwo\nx --b\n--b--\n", (b"", [b"one\n--bc\ntwo\nx --b"], b"")),
        (b"--b\none", (b"", [b"one"], b"")),
        (b"--b\n--b\n--b--\n", (b"", [b"", b""], b"")),
        (b"no boundary", (b"no boundary", [], b"")),
        (b"a\n--b--\nrest", (b"a", [], b"rest")),
    ],
)
def test_cutting(content: bytes, expected: object) -> None:
    assert pieces(content) == expected


def test_what_only_looks_like_a_boundary_counts() -> None:
    marks_max = SHARES_MAX[Share.MARKS]
    content = b"--b\n" + b"--bx\n" * (marks_max - 2) + b"--b\none\n--b\n"
    assert pieces(content)[1][1:] == [b"one\n--b\n"], "the last mark is one too many"
    assert pieces(content[:4] + content[9:])[1][1:] == [b"one", b""]


def test_cutting_is_limited_and_linear() -> None:
    content = b"--b\n" * (PARTS_MAX * 100)
    started = time.process_time()
    assert len(pieces(content)[1]) == PARTS_MAX
    pieces(b"--bx" * 2_000_000)
    pieces(b"--bx\n" * 2_000_000)
    assert time.process_time() - started < 1
