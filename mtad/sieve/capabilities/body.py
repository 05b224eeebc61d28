"""The test `body` (RFC 5173)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mtad.sieve.code import Code
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, Source, compare
from mtad.sieve.message import Message
from mtad.sieve.run import Run

_TYPE = re.compile(r"[^/]+(?:/[^/]+)?\Z")
_TRANSFORM = "transform"
_ENTITY = 5  # nodes, to look at one


def _body(bound: Bound) -> Code:
    return compare(bound, bound.templates(0), [_texts(bound)], is_remembered=False)  # §6


def _texts(bound: Bound) -> Source:
    if bound.has(":raw"):
        return _raw
    given = bound.tag_strings(":content")
    if given is None:
        return lambda run: list(_shown(run))
    wanted = [item.value.lower() for item in given.items if not item.value or _TYPE.match(item.value)]
    return lambda run: list(_contents(run, wanted))


def _raw(run: Run) -> Sequence[str]:
    message = run.message()
    return (message.raw_body(),) if message.has_body else ()  # §4


def _contents(run: Run, wanted: Sequence[str]) -> Iterator[str]:
    """Yield the contents of the entities of these types; a type without a subtype is any of it, '' any at all."""
    for entity in _entities(run):
        kind = entity.content_type
        if any(one in ("", kind.type, f"{kind.type}/{kind.subtype}") for one in wanted):
            yield from entity.contents()


def _shown(run: Run) -> Iterator[str]:
    for entity in _entities(run):
        if entity.content_type.type == "text":
            yield entity.shown_text()


def _entities(run: Run) -> Iterator[Message]:
    """Yield the message and all that is in it; nothing where it has no body (§4)."""
    message = run.message()
    for entity in message.walk() if message.has_body else ():
        run.spend(_ENTITY)
        yield entity


BODY = (
    Spec(
        "body",
        Kind.TEST,
        _body,
        capabilities=("body",),
        tags=(
            *MATCH_TAGS,
            Tag(":raw", _TRANSFORM),
            Tag(":content", _TRANSFORM, ArgumentType.STRINGS),
            Tag(":text", _TRANSFORM),
        ),
        positional=(ArgumentType.TEXTS,),
        stages=(OUTSIDE, "data"),
    ),
)
