from __future__ import annotations

import time

import pytest

from mtad.sieve.errors import Report
from mtad.sieve.lexer import NUMBER_MAX, Token, TokenKind, number, tokens


def lex(text: str) -> tuple[list[Token], Report]:
    report = Report("test.sieve", text)
    return tokens(text, report), report


def strings(text: str) -> list[str]:
    found, report = lex(text)
    assert not report.has_errors, str(report.errors())
    return [token.text for token in found if token.kind is TokenKind.STRING]


def test_every_kind_of_token_has_its_place() -> None:
    found, report = lex('If :Is 10K "a" ;')
    assert [(token.kind.value, token.text, token.at) for token in found] == [
        ("word", "if", 0),
        ("tag", ":is", 3),
        ("number", "10K", 7),
        ("string", "a", 11),
        ("mark", ";", 15),
        ("end", "", 16),
    ]
    assert not report.has_errors


@pytest.mark.parametrize("comment", ["# to the end\n", "/* between */", "/* a\n * b **/", "# last", " \t\r\n"])
def test_comments_and_white_space_are_no_tokens(comment: str) -> None:
    found, report = lex(f"keep{comment}")
    assert [token.kind for token in found] == [TokenKind.WORD, TokenKind.END]
    assert not report.has_errors


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (r'"a\"b"', 'a"b'),
        (r'"a\\b"', "a\\b"),
        (r'"a\nb"', "anb"),  # RFC 5228 §2.4.2: a backslash before any other character is dropped
        ('"a\nb"', "a\r\nb"),
        ('"a\r\nb"', "a\r\nb"),
        ('"# no /* comment */"', "# no /* comment */"),
        ('"Grüße"', "Grüße"),
        ('""', ""),
    ],
)
def test_quoted_strings(written: str, value: str) -> None:
    assert strings(written) == [value]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("text:\nhello\n.\n", "hello\r\n"),
        ("text: # why\r\nhello\r\n.\r\n", "hello\r\n"),
        ("TEXT:\n..stuffed\n...\n.one\n.\n", ".stuffed\r\n..\r\n.one\r\n"),
        ("text:\n.\n", ""),
        ('text:\n"quoted" # kept\n.\n', '"quoted" # kept\r\n'),
    ],
)
def test_multi_line_strings(written: str, value: str) -> None:
    assert strings(written) == [value]


@pytest.mark.parametrize(
    ("written", "value"),
    [("0", 0), ("007", 7), ("2K", 2048), ("3m", 3 << 20), ("1G", 1 << 30), (str(NUMBER_MAX), NUMBER_MAX)],
)
def test_numbers(written: str, value: int) -> None:
    found, _ = lex(written)
    assert number(found[0]) == value


@pytest.mark.parametrize("written", [str(NUMBER_MAX + 1), "9" * 5000, f"{NUMBER_MAX}K", "9" * 5000 + "G"])
def test_numbers_too_large_are_none(written: str) -> None:
    found, _ = lex(written)
    assert number(found[0]) is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('keep;\n  "open', "test.sieve:2:3: string without its closing quote"),
        ("keep; /* open", "test.sieve:1:7: comment without its closing */"),
        ("text:\nno dot\n", "test.sieve:1:1: multi-line text without the line that holds a single dot"),
        ("size 10X;", "test.sieve:1:6: number not understood: '10X'"),
        ("a\n\n§ b", "test.sieve:3:1: text not understood: '§'"),
        ('"a\0b"', "test.sieve:1:1: string without its closing quote"),
    ],
)
def test_what_is_no_token_is_reported_where_it_stands(text: str, error: str) -> None:
    found, report = lex(text)
    assert str(report.errors()) == error
    assert any(token.kind is TokenKind.BAD for token in found)


@pytest.mark.parametrize(
    "text",
    ['"' + "\\a" * 200_000, "/*" + "*" * 400_000, "text:\n" + ".a\n" * 100_000, " " * 400_000 + "\0", "9" * 400_000],
)
def test_hostile_texts_take_linear_time(text: str) -> None:
    started = time.process_time()
    lex(text)
    assert time.process_time() - started < 2
