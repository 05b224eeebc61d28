from __future__ import annotations

import time

import pytest

from mtad.sieve.dialects import PLAIN
from mtad.sieve.encoded_character import NoCharacter, characters_decoded
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, is_true


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$${hex:40}", "$@"),
        ("${hex: 40 }", "@"),
        ("${HEX: 40}", "@"),
        ("${hex:40", "${hex:40"),
        ("${hex:400}", "${hex:400}"),
        ("${hex:4${hex:30}}", "${hex:40}"),
        ("${unicode:40}", "@"),
        ("${ unicode:40}", "${ unicode:40}"),
        ("${UNICODE:40}", "@"),
        ("${UnICoDE:0000040}", "@"),
        ("${Unicode:40}", "@"),
        ("${Unicode:Cool}", "${Unicode:Cool}"),
        ("${unicode:200000", "${unicode:200000"),
        ("a ${hex:c3 bc} b", "a ü b"),
        ("${hex:c3}${hex:bc}", "ü"),
        ("${hex:}", "${hex:}"),
        ("${hex:4 0}", "\x04\x00"),
        ("${hex:ff}", "\udcff"),
        ("${unicode: 47 72 fc 1F600}", "Grü😀"),
        ("$${${hex", "$${${hex"),
    ],
)
def test_decoding(text: str, expected: str) -> None:
    assert characters_decoded(text) == expected


@pytest.mark.parametrize("number", ["110000", "d800", "DFFF", "9" * 5000])
def test_numbers_of_no_character(number: str) -> None:
    assert characters_decoded(f"a${{unicode:41 {number}}}") == NoCharacter(number)


def test_only_scripts_that_require_it_have_it() -> None:
    facts = StillFacts(b"X: a@b\r\nY: ${hex:40}\r\n\r\n")
    assert is_true('header "x" "a${hex:40}b"', facts, '"encoded-character"')
    assert is_true('header ["q", "${hex:58}"] ["z", "a${unicode:40}b"]', facts, '"encoded-character"')
    assert is_true('header "y" "${hex:40}"', facts)
    assert not is_true('header "x" "a${hex:40}b"', facts)


def test_a_number_of_no_character_is_an_error_where_its_string_stands() -> None:
    found = compile_script('require "encoded-character";\nif exists ["a", "${unicode:D800}"] { keep; }', "t", PLAIN)
    assert isinstance(found, SieveErrors)
    assert str(found) == "t:2:17: D800 is the number of no character"


@pytest.mark.parametrize("text", ["${hex:" * 50_000, "${hex:" + "40 " * 100_000, "${unicode:" + "4" * 200_000])
def test_hostile_texts_take_linear_time(text: str) -> None:
    started = time.process_time()
    assert characters_decoded(text) == text
    assert time.process_time() - started < 2
