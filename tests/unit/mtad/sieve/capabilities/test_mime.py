from __future__ import annotations

import pytest

from mtad.sieve.message import ENTITIES_MAX
from mtad.sieve.run import LimitExceeded, Limits
from tests.fakes.sieve_facts import StillFacts, filed, first_error, is_true

CONTENT = b"""\
Subject: top
Content-Type: multipart/mixed; boundary="b1"

--b1

inner text
--b1
Content-Type: multipart/alternative; boundary=b2

--b2
Content-Type: TEXT/html; charset=UTF-8

<p>page</p>
--b2
Content-Type: application/x; name=doc.pdf
Content-Disposition: attachment; filename="virus.EXE"
To: in@part.example

x
--b2--
--b1
Content-Type: message/rfc822

Subject: deep

deep body
--b1--
"""
FACTS = StillFacts(CONTENT)
REQUIRE = 'require ["mime", "foreverypart", "extracttext", "fileinto", "variables", "relational", "index"];'


def test_every_part_each_before_those_in_it() -> None:
    text = 'foreverypart { set "t" "-"; if header :mime :contenttype :matches "content-type" "*" { set "t" "${1}"; }'
    assert filed(f'{REQUIRE} {text} fileinto "${{t}}"; }}', FACTS) == [
        "multipart/mixed", "-", "multipart/alternative", "text/html", "application/x", "message/rfc822", "-",
    ]  # fmt: skip


def test_a_loop_in_a_loop_has_the_parts_of_the_part() -> None:
    text = """
    foreverypart {
        if header :mime :subtype "content-type" "alternative" {
            foreverypart { if header :mime :type :matches "content-type" "*" { fileinto "${1}"; } }
        }
    }
    if header :mime :type :matches "content-type" "*" { fileinto "behind ${1}"; }
    """
    assert filed(REQUIRE + text, FACTS) == ["text", "application", "behind multipart"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('foreverypart { fileinto "a"; break; fileinto "b"; } fileinto "c";', ["a", "c"]),
        ('foreverypart { fileinto "a"; if true { break; } } fileinto "c";', ["a", "c"]),
        ('foreverypart { foreverypart { fileinto "a"; break; } fileinto "b"; stop; }', ["a", "b"]),
        ('foreverypart :name "o" { foreverypart { fileinto "a"; break :name "o"; } } fileinto "c";', ["a", "c"]),
        ('foreverypart { fileinto "a"; stop; } fileinto "c";', ["a"]),
    ],
)
def test_leaving_a_loop(text: str, expected: list[str]) -> None:
    assert filed(REQUIRE + text, FACTS) == expected


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('header :mime :type "content-type" "multipart"', True),
        ('header :mime :type "content-type" "text"', False),
        ('header :mime :anychild :type "content-type" "text"', True),
        ('header :mime :anychild :contenttype "content-type" "text/html"', True),
        ('header :mime :anychild :param ["name", "filename"] :matches "content-disposition" "*.exe"', True),
        ('header :mime :anychild :param "name" "Content-Type" "doc.pdf"', True),
        ('header :mime :anychild :param "filename" "content-type" "virus.exe"', False),
        ('header :mime :anychild :subtype "content-disposition" ""', True),
        ('header :mime :anychild :type "content-disposition" "attachment"', True),
        ('header :mime :anychild :type "subject" "deep"', False),
        ('header :mime :anychild "subject" "deep"', True),
        ('header :anychild :mime :count "eq" "subject" "2"', True),
        ('header "subject" "deep"', False),
        ('address :mime :anychild "to" "in@part.example"', True),
        ('address "to" "in@part.example"', False),
        ('exists :mime :anychild ["content-disposition", "subject"]', True),
        ('exists :mime "content-disposition"', False),
        ('exists :mime :anychild "x-none"', False),
    ],
)
def test_tests_of_parts(test: str, expected: bool) -> None:
    assert is_true(test, FACTS, '"mime", "relational"') is expected


def test_in_a_loop_only_mime_reads_the_part() -> None:
    text = 'foreverypart { if exists :mime "content-disposition" { if header "subject" "top" { fileinto "y"; } } }'
    assert filed(REQUIRE + text, FACTS) == ["y"]


def test_extracted_text() -> None:
    text = 'foreverypart { extracttext :upper :first 8 "t"; fileinto "<${t}>"; }'
    assert filed(REQUIRE + text, FACTS) == ["<>", "<INNER TE>", "<>", "<PAGE >", "<>", "<>", "<DEEP BOD>"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("break;", "break must stand in a loop"),
        ('foreverypart :name "a" { break :name "b"; }', 'no foreverypart around this is named "b"'),
        ('extracttext "t";', "extracttext must stand in foreverypart"),
        ('foreverypart { extracttext "1"; }', '"1" is no name of a variable'),
        ('if header :anychild "a" "b" { }', ":anychild needs :mime"),
        ('if header :type "a" "b" { }', ":type needs :mime"),
        ('if header :mime :type :subtype "a" "b" { }', ":subtype stands beside :type: only one of them is possible"),
        ('if header :last "a" "b" { }', ":last needs :index"),
        ('if header :index 0 "a" "b" { }', ":index counts from 1"),
    ],
)
def test_mistakes(text: str, error: str) -> None:
    assert first_error(REQUIRE + text).split(": ", 1)[1] == error


def test_each_round_counts() -> None:
    many = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 900 + b"--b--\n"
    text = REQUIRE + 'foreverypart { if header :mime :anychild "a" "b" { } }'
    with pytest.raises(LimitExceeded, match="nodes"):
        filed(text, StillFacts(many), Limits(nodes_max=1000))


def test_no_more_entities_are_seen_than_the_limit() -> None:
    one = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 900 + b"--b--\n"
    many = b"Content-Type: multipart/mixed; boundary=c\n\n" + (b"--c\n" + one) * 3 + b"--c--\n"
    text = 'if header :mime :anychild :count "eq" "content-type" "3" { fileinto "y"; }'
    assert filed(REQUIRE + text, StillFacts(many)) == ["y"]
    assert 900 < ENTITIES_MAX < 1800
