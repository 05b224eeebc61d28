from __future__ import annotations

import pytest

from tests.fakes.sieve_facts import StillFacts, filed, first_error, is_true

CONTENT = b"""\
From: a@b
Content-Type: multipart/mixed; boundary="b1"

prologue
--b1

inner text
--b1
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<b>bold</b> gr=FCn
--b1
Content-Type: message/rfc822

Subject: deep
Content-Type: application/pdf
Content-Transfer-Encoding: base64

ZGVlcCBib2R5
--b1--
epilogue
"""
FACTS = StillFacts(CONTENT.replace(b"\n", b"\r\n"))
PLAIN_BODY = StillFacts(b"Subject: x\r\n\r\none\r\ntwo\r\n")


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('body :contains "inner"', True),
        ('body :text :contains "BOLD gr\u00fcn"', True),
        ('body :text :contains "<b>"', False),
        ('body :text :contains "prologue"', False),
        ('body :text :contains "deep"', False),
        ('body :raw :contains "--b1"', True),
        ('body :raw :contains "gr=FCn"', True),
        ('body :raw :contains "From:"', False),
        ('body :content "text" :contains "inner"', True),
        ('body :content "text" :contains "<b>bold</b> gr\u00fcn"', True),
        ('body :content "text/plain" :contains "bold"', False),
        ('body :content ["x/y", "TEXT/html"] :contains "bold"', True),
        ('body :content "multipart" :contains "prologue"', True),
        ('body :content "multipart/mixed" :contains "epilogue"', True),
        ('body :content "multipart" :contains "inner"', False),
        ('body :content "message/rfc822" :contains "Subject: deep"', True),
        ('body :content "message" :contains "ZGVl"', False),
        ('body :content "application" :is "deep body"', True),
        ('body :content "" :contains "deep body"', True),
        ('body :content "text/" :contains "inner"', False),
        ('body :content "/plain" :contains "inner"', False),
        ('body :content "a/b/c" :contains ""', False),
        ('body :content "image" :contains ""', False),
    ],
)
def test_what_of_a_body_is_asked(test: str, expected: bool) -> None:
    assert is_true(test, FACTS, '"body"') is expected


def test_a_message_that_says_nothing_of_its_content_is_text() -> None:
    assert is_true('body :content "text/plain" :is text:\none\ntwo\n.\n', PLAIN_BODY, '"body"')
    assert is_true('body :raw :matches "one*two*"', PLAIN_BODY, '"body"')


def test_wildcards_of_a_body_are_not_remembered() -> None:
    text = 'require ["body", "variables", "fileinto"]; if body :matches "*one*" { fileinto "<${1}>"; }'
    assert filed(text, PLAIN_BODY) == ["<>"]


def test_only_one_transform() -> None:
    assert "stands beside" in first_error('require "body"; if body :raw :text "a" { }')
