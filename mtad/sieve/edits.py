"""Changes of a message: of its header section (RFC 5293), or as a whole; and the message that they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.header import Header
from functools import partial
from typing import TypeVar

CRLF = "\r\n"
LINE_LENGTH = 78  # RFC 5322 §2.1.1, which says how long a line may be at most too
LINE_LENGTH_MAX = 998

T = TypeVar("T")

_END = re.compile(rb"(?:\A|\r?\n)(?=\r?\n)")
_FIELD_START = re.compile(rb"(?<=\n)(?![ \t])")
_BREAKS = re.compile(
    r"(?<! ) *[\x00-\x1f\x7f-\x9f\u2028\u2029][\x00- \x7f-\x9f\u2028\u2029]*"
)  # controls, line ends of all kinds; looked for from the first blank of a row alone, for rows may be long


@dataclass(frozen=True, slots=True)
class AddField:
    """A field more, before all others or behind them."""

    name: str
    value: str
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class DeleteFields:
    """Fields less: of those of this name (folded) the ones that stand at these places, counted from 0."""

    name: str
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NewContent:
    """This in place of the message and of all changes before."""

    content: bytes = field(repr=False)


Edit = AddField | DeleteFields | NewContent


def one_line(value: str) -> str:
    """Return a field's value on one line, so that it cannot bring a field of its own."""
    return _BREAKS.sub(" ", value).strip(" ")


def edited(content: bytes, edits: Iterable[Edit]) -> bytes:
    """Return the content with its fields changed, one edit after the other; all other octets stay as they are."""
    left: list[AddField | DeleteFields] = []
    for edit in edits:
        if isinstance(edit, NewContent):
            content = edit.content
            left.clear()
        else:
            left.append(edit)
    return _with_fields_changed(content, left) if left else content


def _with_fields_changed(content: bytes, edits: Iterable[AddField | DeleteFields]) -> bytes:
    end = _END.search(content)
    at = end.end() if end is not None else len(content)
    header, rest = content[:at], content[at:]
    if header and not header.endswith(b"\n"):
        header += b"\r\n"
    fields = [field for field in _FIELD_START.split(header) if field]
    for edit in edits:
        if isinstance(edit, AddField):
            # a line that continues nothing must not come to continue ours
            first = int(bool(fields) and fields[0].startswith((b" ", b"\t")))
            fields.insert(len(fields) if edit.is_last else first, _field(edit))
        else:
            fields = without(fields, partial(_has_name, edit.name), edit.places)
    return b"".join(fields) + (rest or b"\r\n")


def without(fields: Iterable[T], is_named: Callable[[T], bool], places: Iterable[int]) -> list[T]:
    """Return the fields but for those that stand at these places among those of the name, counted from 0."""
    gone = set(places)
    left: list[T] = []
    seen = 0
    for one in fields:
        if is_named(one):
            seen += 1
            if seen - 1 in gone:
                continue
        left.append(one)
    return left


def _has_name(folded: str, field: bytes) -> bool:
    name, colon, _ = field.partition(b":")
    return bool(colon) and name.rstrip(b" \t").decode("utf-8", "surrogateescape").lower() == folded


def _field(edit: AddField) -> bytes:
    value = one_line(edit.value)
    is_foldable = max(map(len, value.split(" "))) < LINE_LENGTH_MAX  # else it is cut into encoded words
    charset = "us-ascii" if value.isascii() and is_foldable else "utf-8"
    text = Header(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), charset, LINE_LENGTH, edit.name)
    return f"{edit.name}: {text.encode(linesep=CRLF)}\r\n".encode("ascii")
