"""A message as tests see it (RFC 5228 §5, RFC 5703): its fields by name, and the entities that it is made of.

All of it is read when it is asked for, and once: fields are split, each is decoded, parts are found. How much of it is
seen the allowance says, which all entities of a message have in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mtad.sieve.addresses import LENGTH_MAX, addresses_in
from mtad.sieve.allowance import Allowance, Share
from mtad.sieve.encoded_word import decoded, is_wide
from mtad.sieve.html_text import text_of_html
from mtad.sieve.mime import MESSAGE, TEXT, Cut, FieldValue, cut, field_value, text_of, transfer_decoded

ENTITIES_MAX = 1000  # of one message; those behind are not seen
NESTING_MAX = 16  # of entities; what is deeper is one with what holds it
FIELD_LENGTH_MAX = 1 << 13  # of a field that a script adds
RAW_OCTETS_MAX = 1 << 20  # of the body as it is; what is behind is not seen
ALL = slice(None)
_FIELD_LENGTH = 32  # that a field with addresses counts for by itself

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
        "_allowance",
        "_around",
        "_content",
        "_decoded",
        "_default",
        "_depth",
        "_end",
        "_fields",
        "_header",
        "_named",
        "_parts",
        "_raw",
        "_shown",
        "_start",
        "_structured",
        "_text",
    )

    def __init__(
        self,
        content: bytes,
        place: tuple[int, int] | None = None,
        depth: int = 0,
        default: FieldValue = TEXT,
        allowance: Allowance | None = None,
    ) -> None:
        start, end = place or (0, len(content))
        self._content = content
        self._allowance = allowance or Allowance()
        self._start = start
        self._end = end
        self._depth = depth
        self._default = default
        self._header: _Head | None = None
        self._fields: list[Field] | None = None
        self._named: dict[str, list[str]] | None = None
        self._decoded: dict[str, list[str]] = {}
        self._addresses: dict[str, list[list[str]]] = {}
        self._structured: dict[str, FieldValue | None] = {}
        self._parts: tuple[Message, ...] | None = None
        self._raw: str | None = None
        self._around: tuple[str, ...] | None = None
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
            values = self._by_name().get(name, ())
            found = [(self._decode(value) if "=?" in value else value).strip(_WHITE) for value in values]
            self._decoded[name] = found
        return found

    def addresses(self, name: str, pick: slice = ALL) -> list[str]:
        """Return the addresses in the fields of this name (folded), or in those of them that are picked."""
        found = self._addresses.get(name)
        if found is None:
            found = [self._addresses_in(value) for value in self._by_name().get(name, ())]
            self._addresses[name] = found
        return [address for field in found[pick] for address in field]

    def fields(self) -> list[Field]:
        """Return the fields in their order."""
        if self._fields is None:
            left = self._allowance.left(Share.FIELDS)
            lines = _FIELD_END.split(self._split().text, left)[:left] if left else []
            self._allowance.take(Share.FIELDS, len(lines))
            self._fields = list(_fields(lines))
        return self._fields

    def with_fields(self, fields: Sequence[Field]) -> Message:
        """Return the entity with these fields in place of its own."""
        other = Message(self._content, (self._start, self._end), self._depth, self._default)
        other._header = self._split()
        other._fields = list(fields)
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
            self._parts = tuple(
                Message(self._content, place, self._depth + 1, default, self._allowance) for place in self._cut().parts
            )
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
        if self._raw is None:
            self._raw = _text(self._content[self._body_start : self._end][:RAW_OCTETS_MAX])
        return self._raw

    def text(self) -> str:
        """Return the body decoded: its transfer encoding undone, in characters."""
        if self._text is None:
            octets = transfer_decoded(self._readable(self._body_start, self._end), self._encoding)
            kind = self.content_type
            charset = kind.parameters.get("charset", "utf-8") if kind.type == "text" else "utf-8"
            if is_wide(charset):
                octets = octets[: self._allowance.take(Share.WIDE_OCTETS, len(octets))]
            self._text = text_of(octets, charset) if kind.type == "text" else _text(octets)
        return self._text

    def shown_text(self) -> str:
        """Return the text as a reader sees it: of HTML without its tags."""
        if self._shown is None:
            self._shown = self._shown_page() if self.content_type.subtype == "html" else self.text()
        return self._shown

    def contents(self) -> Iterator[str]:
        """Yield what `body :content` is held against (RFC 5173 §5.2): of a multipart what stands around its parts."""
        kind = self.content_type
        if kind.type == "multipart":
            yield from self._around_parts()
        elif self._is_message(kind):
            for part in self.parts:
                yield part._split().text
        else:
            yield self.text()

    def _around_parts(self) -> tuple[str, ...]:
        if self._around is None:
            pieces = self._cut()
            places = [(start, end) for start, end in (pieces.prologue, pieces.epilogue) if end > start]
            self._around = tuple(_text(self._readable(*place)) for place in places)
        return self._around

    def _readable(self, start: int, end: int) -> bytes:
        return self._content[start : start + self._allowance.take(Share.TEXT_OCTETS, end - start)]

    def _shown_page(self) -> str:
        page = self.text()
        return text_of_html(page[: self._allowance.take(Share.PAGES_LENGTH, len(page))])

    def _decode(self, value: str) -> str:
        """Return a value with its encoded words decoded, as far as that may be done."""
        length = self._allowance.take(Share.ENCODED_LENGTH, len(value))
        return decoded(value[:length]) + value[length:]

    def _addresses_in(self, value: str) -> list[str]:
        length = self._allowance.take(Share.ADDRESSES_LENGTH, min(len(value), LENGTH_MAX) + _FIELD_LENGTH)
        return addresses_in(value[:length]) if length else []

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
                return cut(self._content, *body, boundary, self._allowance)
            if self._is_message(kind):
                return Cut(body, [body], body)
        return Cut(body, [], (self._end, self._end))

    def _by_name(self) -> dict[str, list[str]]:
        if self._named is None:
            self._named = {}
            for name, value in self.fields():
                self._named.setdefault(name.lower(), []).append(value)
        return self._named

    def _split(self) -> _Head:
        if self._header is None:
            size_octets = min(self._end - self._start, self._allowance.left(Share.HEADER_OCTETS))
            start = self._content[self._start : self._start + size_octets]
            end = _END.search(start)
            self._allowance.take(Share.HEADER_OCTETS, end.end() if end is not None else size_octets)
            self._header = (
                _Head(_text(start[: end.start()]), self._start + end.end(), has_body=True)
                if end is not None
                else _Head(_text(start), self._end, has_body=False)
            )
        return self._header


def _fields(lines: Sequence[str]) -> Iterator[Field]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.rstrip(" \t"), _FOLD.sub("", value)


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
