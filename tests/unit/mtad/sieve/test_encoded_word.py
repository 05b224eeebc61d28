from __future__ import annotations

import codecs
import time

import pytest

from mtad.sieve.encoded_word import characters, decoded, is_charset, is_wide


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ==?=", "Grüße"),
        ("=?utf-8?B?R3LDvMOfZQ?=", "Grüße"),  # padding left out
        ("=?iso-8859-1?Q?a_b=E9?= c", "a bé c"),
        ("=?latin1?q?=FC?= =?iso_8859-1?q?=FC?=", "üü"),
        ("=?utf-16le?b?YQA=?= =?UTF-32BE?b?AAAAYg==?=", "ab"),
        ("=?ks_c_5601-1987?b?vsiz5w==?=", "안녕"),
        ("=?utf-8*de?q?a?=", "a"),  # RFC 2231 §5
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\r\n =?utf-8?q?b?= c", "ab c"),
        ("x =?utf-8?q?a?= y", "x a y"),
        ("=?utf-8?q?=ff?=", "\ufffd"),
        ("=?utf-8?q?=ff_Gr=C3=BC=C3=9Fe?=", "\ufffd Grüße"),
        ("=?punycode?q?a?=", "=?punycode?q?a?="),
        ("=?unicode_escape?q?=5Cu0041?=", "=?unicode_escape?q?=5Cu0041?="),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?utf-8?q?open", "=?utf-8?q?open"),
    ],
)
def test_decoding(value: str, expected: str) -> None:
    assert decoded(value) == expected


@pytest.mark.parametrize(
    "value", ["=?" * 100_000, "=?utf-8?q?" * 20_000, "?= " * 100_000 + " " * 100_000, "=?a?b?" + "x" * 300_000]
)
def test_hostile_values_take_linear_time(value: str) -> None:
    started = time.process_time()
    assert decoded(value) == value
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "charset", ["cp1252", "tis-620", "utf-8", "us-ascii", "big5", "shift_jis", "iso-2022-kr", "utf-16"]
)
def test_what_is_no_character_is_replaced(charset: str) -> None:
    octets = bytes(range(256)) * 20 + b"\x81\xff" * 25 + b"\x1b$B\x81~{"
    assert characters(octets, charset) == octets.decode(charset, "replace")


@pytest.mark.parametrize("count", [1, 1000])
@pytest.mark.parametrize(
    ("charset", "text", "bad"),
    [
        ("utf-8", "Grüße", b"\xff"),
        ("cp65001", "Grüße", b"\xff"),
        ("iso-2022-jp", "あ", b"\xff"),
        ("hz-gb-2312", "国", b"\xff"),
        ("euc-kr", "안", b"\xff"),
        ("cp1252", "é", b"\x81"),
        ("utf-16le", "あ", b"\x00\xd8"),
    ],
)
def test_only_what_is_no_character_is_replaced(charset: str, text: str, bad: bytes, count: int) -> None:
    assert characters(text.encode(charset) * count + bad, charset) == text * count + "\ufffd"


def test_python_is_asked_for_no_set_that_it_does_not_know() -> None:
    numbered = [f"{prefix}{number}" for prefix in ("cp", "windows-", "latin", "latin-") for number in range(70_000)]
    numbered += [
        f"{name}{number:0{width}}" for name in ("iso-8859-", "cp") for width in (1, 2, 3) for number in range(999)
    ]
    known = [name for name in numbered if is_charset(name)]
    assert {"cp037", "cp65001", "windows-1252", "latin9", "iso-8859-15"} <= set(known)
    for name in known:
        assert codecs.lookup(name).name


def test_characters_of_a_set_that_is_none() -> None:
    with pytest.raises(LookupError):
        characters(b"\xff", "cp1")


def test_wide_are_those_whose_characters_are_all_of_more_octets() -> None:
    assert all(map(is_wide, ("utf-16", "UTF-16LE", "utf32be")))
    assert not any(map(is_wide, ("utf-8", "iso-8859-1", "gb18030", "utf-7", "utf-160")))
