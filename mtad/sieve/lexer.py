"""Cuts a script into tokens (RFC 5228 §8.1).

One expression knows every token; all its repetitions are possessive or bounded by one character, so the time is
linear in the script whatever it holds. Bare LF ends a line as CRLF does; string values always hold CRLF.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from mtad.sieve.errors import Report

NUMBER_MAX = (1 << 63) - 1
_DIGITS_MAX = 19
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_TOKEN = re.compile(
    r"""
      (?P<space>  (?: [ \t\r\n]++ | \#[^\n]*+ | /\*.*?\*/ )++ )
    | (?P<lines>  (?i:text):[ \t]*+(?:\#[^\r\n]*+)?\r?\n (?P<body>(?:(?!\.\r?\n)[^\n\0]*+\n)*+) \.\r?\n )
    | (?P<word>   [A-Za-z_][A-Za-z0-9_]*+ )
    | (?P<tag>    :[A-Za-z_][A-Za-z0-9_]*+ )
    | (?P<number> [0-9]++[KMGkmg]?(?![A-Za-z0-9_]) )
    | (?P<string> "[^"\\\0]*+(?:\\[^\0][^"\\\0]*+)*+" )
    | (?P<mark>   [;,(){}\[\]] )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STUFFED = re.compile(r"^\.\.", re.MULTILINE)
_UNKNOWN_RUN = re.compile(r"[^\s;{}]+|.", re.DOTALL)


class TokenKind(Enum):
    """What a token is."""

    WORD = "word"
    TAG = "tag"
    NUMBER = "number"
    STRING = "string"
    MARK = "mark"
    BAD = "bad"  # already reported
    END = "end"


class Token(NamedTuple):
    """A token; `text` is folded for words and tags, the value for strings, the number's digits and unit for numbers."""

    kind: TokenKind
    text: str
    at: int


def tokens(text: str, report: Report) -> list[Token]:
    """Cut the script into tokens, the last of kind END; what is no token is reported and becomes a BAD one."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            end = _bad(text, at, found, report)
            found.append(Token(TokenKind.BAD, "", at))
            at = end
            continue
        make = _MAKERS[match.lastgroup or ""]
        if make is not None:
            found.append(make(match))
        at = match.end()
    found.append(Token(TokenKind.END, "", len(text)))
    return found


def number(token: Token) -> int | None:
    """Return the value of a number token, None when it is too large."""
    unit = _UNITS.get(token.text[-1].upper(), 1)
    digits = (token.text if unit == 1 else token.text[:-1]).lstrip("0") or "0"
    value = int(digits) * unit if len(digits) <= _DIGITS_MAX else NUMBER_MAX + 1
    return value if value <= NUMBER_MAX else None


def _bad(text: str, at: int, found: list[Token], report: Report) -> int:
    """Report what stands at this offset; return where to go on."""
    if text[at] == '"':
        report.add(at, "string without its closing quote")
        return len(text)
    if text.startswith("/*", at):
        report.add(at, "comment without its closing */")
        return len(text)
    if text[at] == ":" and found and found[-1].text == "text" and found[-1].at + 4 == at:
        report.add(found[-1].at, "multi-line text without the line that holds a single dot")
        return len(text)
    run = _UNKNOWN_RUN.match(text, at)
    assert run is not None
    what = "number" if text[at].isdecimal() else "text"
    report.add(at, f"{what} not understood: {run[0][:40]!r}")
    return run.end()


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n") if "\n" in text else text


def _string(match: re.Match[str]) -> Token:
    value = match[0][1:-1]
    if "\\" in value:
        value = _ESCAPED.sub(r"\1", value)
    return Token(TokenKind.STRING, _crlf(value), match.start())


def _lines(match: re.Match[str]) -> Token:
    return Token(TokenKind.STRING, _crlf(_STUFFED.sub(".", match["body"])), match.start())


_MAKERS = {
    "space": None,
    "lines": _lines,
    "word": lambda match: Token(TokenKind.WORD, match[0].lower(), match.start()),
    "tag": lambda match: Token(TokenKind.TAG, match[0].lower(), match.start()),
    "number": lambda match: Token(TokenKind.NUMBER, match[0], match.start()),
    "string": _string,
    "mark": lambda match: Token(TokenKind.MARK, match[0], match.start()),
}
