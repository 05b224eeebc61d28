"""The parts of a message: `foreverypart`, `break`, `extracttext` (RFC 5703). Header tests have the tags of `mime`."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice

from mtad.sieve.capabilities.variables import MODIFIER_TAGS, modifier, writer_of
from mtad.sieve.code import Code, Plain, repeat
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.run import Run

_LOOP = "foreverypart"
_LOOPS = (_LOOP, "foreachrcpt")
_WITH_MESSAGE = (OUTSIDE, "data")


def _foreverypart(bound: Bound) -> Code:
    return repeat(bound.compile_block(), _parts, bound.tag_string(":name") or "")


def _parts(run: Run) -> Generator[None, None, None]:
    """Go to the message and all in it, one after the other; in another loop to what is in the part that it is at."""
    outer = run.part
    try:
        for part in run.message().walk() if outer is None else islice(outer.walk(), 1, None):
            run.part = part
            yield
    finally:
        run.part = outer


def _break(bound: Bound) -> Code:
    name = bound.tag_string(":name") or ""
    loops = [outer.tag_string(":name") or "" for outer in bound.outer() if outer.spec.name in _LOOPS]
    if not loops:
        return bound.fail(bound.at, "break must stand in a loop")
    if name and name not in loops:
        return bound.fail(bound.at, f'no {_LOOP} around this is named "{name}"')
    return Plain(lambda run: run.leave(name))


def _extracttext(bound: Bound) -> Code:
    write, change, first = writer_of(bound, bound.strings(0).items[0]), modifier(bound), bound.tag_number(":first")
    if not any(outer.spec.name == _LOOP for outer in bound.outer()):
        return bound.fail(bound.at, f"extracttext must stand in {_LOOP}")
    length = first.value if first is not None else None

    def extract(run: Run) -> bool:
        entity = run.entity()
        text = entity.shown_text()[:length] if entity.content_type.type == "text" else ""
        write(run, change(run, text) if change is not None else text)
        return False

    return Plain(extract)


MIME = (
    Spec(
        _LOOP,
        Kind.COMMAND,
        _foreverypart,
        capabilities=("foreverypart",),
        tags=(Tag(":name", value=ArgumentType.STRING),),
        has_block=True,
        stages=_WITH_MESSAGE,
    ),
    Spec(
        "break",
        Kind.COMMAND,
        _break,
        capabilities=("foreverypart", "vnd.mtad.stage"),
        tags=(Tag(":name", value=ArgumentType.STRING),),
        stages=_WITH_MESSAGE,
    ),
    Spec(
        "extracttext",
        Kind.COMMAND,
        _extracttext,
        capabilities=("extracttext",),
        tags=(*MODIFIER_TAGS, Tag(":first", value=ArgumentType.NUMBER)),
        positional=(ArgumentType.STRING,),
        stages=_WITH_MESSAGE,
    ),
)
