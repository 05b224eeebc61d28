"""Turns tokens into commands, tests and arguments (RFC 5228 §8.2). Knows the grammar and no command's meaning."""

from __future__ import annotations

from typing import NamedTuple

from mtad.sieve.errors import Report
from mtad.sieve.lexer import Token, TokenKind, number, tokens

NESTING_MAX = 32  # RFC 5228 §2.10.5 asks for at least 15
# By themselves: to find a member in its class takes Python 3.11 longer than all else that is done with a token.
_WORD = TokenKind.WORD
_TAG = TokenKind.TAG
_NUMBER = TokenKind.NUMBER
_STRING = TokenKind.STRING
_MARK = TokenKind.MARK
_BAD = TokenKind.BAD
_END = TokenKind.END


class TagName(NamedTuple):
    """A tag as it stands in the script, folded, with its colon."""

    name: str
    at: int


class Number(NamedTuple):
    """A number, its unit multiplied out."""

    value: int
    at: int


class Text(NamedTuple):
    """One string."""

    value: str
    at: int


class Strings(NamedTuple):
    """A string list; a single string is a list of one that was written without brackets."""

    items: tuple[Text, ...]
    at: int
    is_list: bool


Argument = TagName | Number | Strings


class Node(NamedTuple):
    """A command or a test. `block` is None where the command ended with a semicolon."""

    name: str
    at: int
    arguments: tuple[Argument, ...]
    tests: tuple[Node, ...]
    is_test_list: bool
    block: tuple[Node, ...] | None


def parse(text: str, report: Report) -> tuple[Node, ...]:
    """Return the commands that could be read; what could not is reported, and reading goes on behind it."""
    return _Parser(tokens(text, report), report).script()


class _NotUnderstood(Exception):  # noqa: N818 - the name of the event
    """Unwinds to the nearest block, which goes on behind the broken command. Never leaves this module."""


class _Parser:
    def __init__(self, found: list[Token], report: Report) -> None:
        self._tokens = found
        self._next = 0
        self._report = report

    def script(self) -> tuple[Node, ...]:
        commands: list[Node] = []
        while True:
            commands += self._commands(0)
            token = self._tokens[self._next]
            if token.kind is _END or self._report.is_full:
                return tuple(commands)
            self._report.add(token.at, "'}' without its '{'")
            self._next += 1

    def _commands(self, depth: int) -> list[Node]:
        """Read commands up to the end or a '}' that none of them opened."""
        commands: list[Node] = []
        while not self._report.is_full:
            token = self._tokens[self._next]
            if token.kind is _END or self._is_mark("}"):
                break
            try:
                commands.append(self._command(depth))
            except _NotUnderstood:
                self._skip()
        return commands

    def _command(self, depth: int) -> Node:
        word = self._take(_WORD, "a command")
        arguments = self._arguments()
        tests, is_list = self._tests(depth)
        if self._is_mark("{"):
            opened = self._tokens[self._next]
            self._check_depth(depth, opened.at)
            self._next += 1
            block = self._commands(depth + 1)
            if not self._is_mark("}"):
                if self._tokens[self._next - 1].kind is not _BAD:
                    self._report.add(opened.at, "'{' without its '}'")
                return Node(word.text, word.at, arguments, tests, is_list, tuple(block))
            self._next += 1
            return Node(word.text, word.at, arguments, tests, is_list, tuple(block))
        self._take_mark(";", f"';' or '{{' after {word.text}")
        return Node(word.text, word.at, arguments, tests, is_list, None)

    def _tests(self, depth: int) -> tuple[tuple[Node, ...], bool]:
        if self._tokens[self._next].kind is _WORD:
            return (self._test(depth + 1),), False
        if not self._is_mark("("):
            return (), False
        self._next += 1
        tests = [self._test(depth + 1)]
        while self._is_mark(","):
            self._next += 1
            tests.append(self._test(depth + 1))
        self._take_mark(")", "',' or ')' after a test")
        return tuple(tests), True

    def _test(self, depth: int) -> Node:
        word = self._take(_WORD, "a test")
        self._check_depth(depth, word.at)
        arguments = self._arguments()
        tests, is_list = self._tests(depth)
        return Node(word.text, word.at, arguments, tests, is_list, None)

    def _arguments(self) -> tuple[Argument, ...]:
        found: list[Argument] = []
        at = self._next
        while True:
            kind, text, place = token = self._tokens[at]
            if kind is _STRING:
                found.append(Strings((Text(text, place),), place, False))
            elif kind is _TAG:
                found.append(TagName(text, place))
            elif kind is _NUMBER:
                found.append(self._number(token))
            elif text == "[" and kind is _MARK:
                self._next = at + 1
                found.append(self._strings(place))
                at = self._next
                continue
            else:
                self._next = at
                return tuple(found)
            at += 1

    def _number(self, token: Token) -> Number:
        value = number(token)
        if value is None:
            self._report.add(token.at, "number too large")
        return Number(value or 0, token.at)

    def _strings(self, at: int) -> Strings:
        items: list[Text] = []
        while True:
            kind, text, place = self._tokens[self._next]
            if kind is not _STRING:
                self._fail("a string")
            items.append(Text(text, place))
            self._next += 1
            if not self._is_mark(","):
                break
            self._next += 1
        self._take_mark("]", "',' or ']' after a string")
        return Strings(tuple(items), at, is_list=True)

    def _is_mark(self, text: str) -> bool:
        token = self._tokens[self._next]
        return token.text == text and token.kind is _MARK

    def _take(self, kind: TokenKind, what: str) -> Token:
        token = self._tokens[self._next]
        if token.kind is not kind:
            self._fail(what)
        self._next += 1
        return token

    def _take_mark(self, text: str, what: str) -> None:
        if not self._is_mark(text):
            self._fail(what)
        self._next += 1

    def _fail(self, what: str) -> None:
        token = self._tokens[self._next]
        if token.kind is _END:
            self._report.add(token.at, f"expected {what}, found the end")
        elif token.kind is not _BAD:
            shown = "a string" if token.kind is _STRING else repr(token.text)
            self._report.add(token.at, f"expected {what}, found {shown}")
        raise _NotUnderstood

    def _check_depth(self, depth: int, at: int) -> None:
        if depth >= NESTING_MAX:
            self._report.add(at, f"nested deeper than {NESTING_MAX}")
            raise _NotUnderstood

    def _skip(self) -> None:
        """Go behind the next ';' or closed block, or in front of the '}' that closes the present one."""
        depth = 0
        while True:
            token = self._tokens[self._next]
            if token.kind is _END:
                return
            mark = token.text if token.kind is _MARK else ""
            if mark == "}" and depth == 0:
                return
            self._next += 1
            depth += {"{": 1, "}": -1}.get(mark, 0)
            if depth == 0 and mark in (";", "}"):
                return
