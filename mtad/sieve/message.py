"""A message as tests see it (RFC 5228 §5, RFC 5703): its fields by name, and the entities that it is made of.

All of it is read when it is asked for, and once: fields are split, each is decoded, parts are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mtad.sieve.addresses import addresses_in
from mtad.sieve.encoded_word import decoded
from mtad.sieve.html_text import text_of_html
from mtad.sieve.mime import MESSAGE, TEXT, Cut, FieldValue, cut, field_value, text_of, transfer_decoded

HEADER_OCTETS_MAX = 1 << 20  # fields behind it are not seen
ENTITIES_MAX = 1000  # of one message; those behind are not seen
NESTING_MAX = 16  # of entities; what is deeper is one with what holds it
FIELD_LENGTH_MAX = 1 << 13  # of a field that a script adds
BODY_OCTETS_MAX = 1 << 20  # of one entity's decoded text; what is behind is not seen
ALL = slice(None)

_WHITE = " \t\r\n"
_END = re.compile(rb"(?:\A|\r?\n)\r?\n")
_FIELD_END = re.compile(r"\r?\n(?![ \t])")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_MESSAGES = ("rfc822", "global")
_DIGEST = ("multipart", "digest")


Field = tuple[str, str]  # its name as it is written, and its value unfolded


class _Head(NamedTuple):
    """A header section, and where the body starts; one that no empty line ends has none behind it."""

    text: str
    body_start: int
    has_body: bool


class Message:
    """A message, or a part of one (RFC 2045 §2.4)."""

    __slots__ = (
        "_addresses",
        "_content",
        "_decoded",
        "_default",
        "_depth",
        "_edited",
        "_end",
        "_fields",
        "_header",
        "_parts",
        "_shown",
        "_start",
        "_structured",
        "_text",
    )

    def __init__(
        self, content: bytes, start: int = 0, end: int | None = None, depth: int = 0, default: FieldValue = TEXT
    ) -> None:
        self._content = content
        self._start = start
        self._end = len(content) if end is None else end
        self._depth = depth
        self._default = default
        self._header: _Head | None = None
        self._edited: list[Field] | None = None  # in place of those of the content
        self._fields: dict[str, list[str]] | None = None
        self._decoded: dict[str, list[str]] = {}
        self._addresses: dict[str, list[list[str]]] = {}
        self._structured: dict[str, FieldValue | None] = {}
        self._parts: tuple[Message, ...] | None = None
        self._text: str | None = None
        self._shown: str | None = None

    @property
    def size_octets(self) -> int:
        """The size of the whole entity."""
        return self._end - self._start

    @property
    def octets(self) -> bytes:
        """The entity as it came, whatever a script has changed of its fields."""
        return self._content[self._start : self._end]

    def has(self, name: str) -> bool:
        """Tell whether a field of this name (folded) is there."""
        return name in self._by_name()

    def values(self, name: str) -> list[str]:
        """Return the values of all fields of this name (folded): unfolded, decoded, without outer white space."""
        found = self._decoded.get(name)
        if found is None:
            found = [decoded(value).strip(_WHITE) for value in self._by_name().get(name, ())]
            self._decoded[name] = found
        return found

    def addresses(self, name: str, pick: slice = ALL) -> list[str]:
        """Return the addresses in the fields of this name (folded), or in those of them that are picked."""
        found = self._addresses.get(name)
        if found is None:
            found = [addresses_in(value) for value in self._by_name().get(name, ())]
            self._addresses[name] = found
        return [address for field in found[pick] for address in field]

    def fields(self) -> list[Field]:
        """Return the fields in their order."""
        return self._edited if self._edited is not None else list(_fields(self._split().text))

    def with_fields(self, fields: Sequence[Field]) -> Message:
        """Return the entity with these fields in place of its own."""
        other = Message(self._content, self._start, self._end, self._depth, self._default)
        other._header = self._split()
        other._edited = list(fields)
        other._parts = self.parts
        return other

    def mime_value(self, name: str) -> FieldValue | None:
        """Return what a structured MIME field says; None where there is none, or none to be understood."""
        if name not in self._structured:
            values = self._by_name().get(name)
            self._structured[name] = field_value(values[0]) if values else None
        return self._structured[name]

    @property
    def content_type(self) -> FieldValue:
        """What the entity is; what it does not say, or not so that it can be understood, is plain text.

        In a digest it is a message (RFC 2046 §5.1.5).
        """
        return self.mime_value("content-type") or self._default

    @property
    def parts(self) -> tuple[Message, ...]:
        """The entities directly in this one: of a multipart its parts, of a message/rfc822 the message."""
        if self._parts is None:
            default = MESSAGE if self.content_type[:2] == _DIGEST else TEXT
            self._parts = tuple(Message(self._content, *part, self._depth + 1, default) for part in self._cut().parts)
        return self._parts

    def walk(self) -> Iterator[Message]:
        """Yield the entity and all that are in it, each before those in it (RFC 5703 §3)."""
        waiting = [self]
        for _ in range(ENTITIES_MAX):
            if not waiting:
                return
            entity = waiting.pop()
            yield entity
            waiting += reversed(entity.parts)

    @property
    def has_body(self) -> bool:
        """Whether an empty line ends the header section; without one there is no body, not even an empty one."""
        return self._split().has_body

    def raw_body(self) -> str:
        """Return the body as it is (RFC 5173 §5.1)."""
        return _text(self._content[self._body_start : self._end][:BODY_OCTETS_MAX])

    def text(self) -> str:
        """Return the body decoded: its transfer encoding undone, in characters."""
        if self._text is None:
            octets = transfer_decoded(self._content[self._body_start : self._end][:BODY_OCTETS_MAX], self._encoding)
            kind = self.content_type
            self._text = (
                text_of(octets, kind.parameters.get("charset", "utf-8")) if kind.type == "text" else _text(octets)
            )
        return self._text

    def shown_text(self) -> str:
        """Return the text as a reader sees it: of HTML without its tags."""
        if self._shown is None:
            self._shown = text_of_html(self.text()) if self.content_type.subtype == "html" else self.text()
        return self._shown

    def contents(self) -> Iterator[str]:
        """Yield what `body :content` is held against (RFC 5173 §5.2): of a multipart what stands around its parts."""
        kind = self.content_type
        if kind.type == "multipart":
            pieces = self._cut()
            for start, end in (pieces.prologue, pieces.epilogue):
                if end > start:
                    yield _text(self._content[start:end][:BODY_OCTETS_MAX])
        elif self._is_message(kind):
            for part in self.parts:
                yield part._split().text
        else:
            yield self.text()

    @property
    def _encoding(self) -> str:
        value = self.mime_value("content-transfer-encoding")
        return value.type if value is not None else ""

    @property
    def _body_start(self) -> int:
        return self._split().body_start

    def _is_message(self, kind: FieldValue) -> bool:
        return kind.type == "message" and kind.subtype in _MESSAGES

    def _cut(self) -> Cut:
        body = (self._body_start, self._end)
        kind = self.content_type
        if self._depth < NESTING_MAX:
            boundary = kind.parameters.get("boundary", "")
            if kind.type == "multipart" and boundary:
                return cut(self._content, *body, boundary)
            if self._is_message(kind):
                return Cut(body, [body], body)
        return Cut(body, [], (self._end, self._end))

    def _by_name(self) -> dict[str, list[str]]:
        if self._fields is None:
            self._fields = _named(self._edited if self._edited is not None else _fields(self._split().text))
        return self._fields

    def _split(self) -> _Head:
        if self._header is None:
            start = self._content[self._start : min(self._end, self._start + HEADER_OCTETS_MAX)]
            end = _END.search(start)
            self._header = (
                _Head(_text(start[: end.start()]), self._start + end.end(), has_body=True)
                if end is not None
                else _Head(_text(start), self._end, has_body=False)
            )
        return self._header


def _fields(header: str) -> Iterator[Field]:
    for field in _FIELD_END.split(header):
        name, colon, value = field.partition(":")
        if colon:
            yield name.rstrip(" \t"), _FOLD.sub("", value)


def _named(fields: Iterable[Field]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
