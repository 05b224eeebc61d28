"""Cuts a script into tokens (RFC 5228 §8.1).

One expression knows every token; all its repetitions are possessive or bounded by one character, so the time is
linear in the script whatever it holds. Bare LF ends a line as CRLF does; string values always hold CRLF.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import islice
from typing import NamedTuple

from mtad.sieve.effort import of_script, of_string
from mtad.sieve.errors import Report

NUMBER_MAX = (1 << 63) - 1
_DIGITS_MAX = 19
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_TOKEN = re.compile(
    r"""
    (?: [ \t\r\n]++ | \#[^\n]*+ | /\*.*?\*/ )*+
    (?:
      (?P<mark>   [;,(){}\[\]] )
    | (?P<string> "[^"\\\0]*+(?:\\[^\0][^"\\\0]*+)*+" )
    | (?P<lines>  (?i:text):[ \t]*+(?:\#[^\r\n]*+)?\r?\n (?:(?!\.\r?\n)[^\n\0]*+\n)*+ \.\r?\n )
    | (?P<word>   [A-Za-z_][A-Za-z0-9_]*+ )
    | (?P<tag>    :[A-Za-z_][A-Za-z0-9_]*+ )
    | (?P<number> [0-9]++[KMGkmg]?(?![A-Za-z0-9_]) )
    | (?P<end>    \Z )
    | (?P<bad> )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_STUFFED = re.compile(r"^\.\.", re.MULTILINE)
_token = tuple.__new__  # a NamedTuple's own constructor costs twice as much, and a script has many tokens
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


_BAD, _END, _STRING = (
    TokenKind.BAD,
    TokenKind.END,
    TokenKind.STRING,
)  # by themselves: to find a member in its class takes Python 3.11 long


class Token(NamedTuple):
    """A token; `text` is folded for words and tags, the value for strings, the number's digits and unit for numbers."""

    kind: TokenKind
    text: str
    at: int


def tokens(text: str, report: Report) -> list[Token]:
    """Cut the script into tokens, the last of kind END; what is no token is reported and becomes a BAD one.

    A script of more tokens than may be compiled ends early, which is reported.
    """
    found: list[Token] = []
    report.spend(0, of_script(text))
    at = 0
    while not report.is_full:
        for match in islice(_TOKEN.finditer(text, at), report.effort.left - len(found) + 1):
            group = match.lastindex or 0  # `bad` matches everywhere
            kind, value = _READERS[group]
            start = match.start(group)
            found.append(_token(Token, (kind, match[group] if value is None else value(match[group]), start)))
            if kind is _BAD:
                at = _behind(text, start, found, report)
                break
            if kind is _END:
                report.spend(0, len(found) + sum([of_string(value) for kind, value, _ in found if kind is _STRING]))
                return found
        else:
            report.spend(found[-1].at, len(found))
    found.append(_token(Token, (_END, "", at)))
    return found


def number(token: Token) -> int | None:
    """Return the value of a number token, None when it is too large."""
    unit = _UNITS.get(token.text[-1].upper(), 1)
    digits = (token.text if unit == 1 else token.text[:-1]).lstrip("0") or "0"
    value = int(digits) * unit if len(digits) <= _DIGITS_MAX else NUMBER_MAX + 1
    return value if value <= NUMBER_MAX else None


def _behind(text: str, at: int, found: list[Token], report: Report) -> int:
    """Report what stands at this offset, the last of the tokens found; return where to go on."""
    if text[at] == '"':
        report.add(at, "string without its closing quote")
        return len(text)
    if text.startswith("/*", at):
        report.add(at, "comment without its closing */")
        return len(text)
    before = found[-2] if len(found) > 1 else found[-1]
    if text[at] == ":" and before.text == "text" and before.at + len("text") == at:
        report.add(before.at, "multi-line text without the line that holds a single dot")
        return len(text)
    run = _UNKNOWN_RUN.match(text, at)
    assert run is not None
    what = "number" if text[at].isdecimal() else "text"
    report.add(at, f"{what} not understood: {run[0][:40]!r}")
    return run.end()


def _crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n") if "\n" in text else text


def _string(text: str) -> str:
    value = text[1:-1]
    return _crlf("".join(_ESCAPED.split(value)) if "\\" in value else value)


def _lines(text: str) -> str:
    """Return what stands between the line of `text:` and the one of the dot."""
    return _crlf(_STUFFED.sub(".", text[text.index("\n") + 1 : text.rindex(".")]))


_READERS: Mapping[int, tuple[TokenKind, Callable[[str], str] | None]] = {
    _TOKEN.groupindex[group]: reader
    for group, reader in {
        "mark": (TokenKind.MARK, None),
        "string": (TokenKind.STRING, _string),
        "lines": (TokenKind.STRING, _lines),
        "word": (TokenKind.WORD, str.lower),
        "tag": (TokenKind.TAG, str.lower),
        "number": (TokenKind.NUMBER, None),
        "end": (TokenKind.END, None),
        "bad": (TokenKind.BAD, None),
    }.items()
}
