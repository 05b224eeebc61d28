"""What was seen before: the test `duplicate` (RFC 7352)."""

from __future__ import annotations

from mtad.sieve.code import Code, Waiting
from mtad.sieve.doors import Sighting
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.sources import is_field_name

SECONDS_DEFAULT = 7 * 86400
SECONDS_MAX = 90 * 86400
_MESSAGE_ID = "message-id"
_OF_WHAT = "of what"


def _duplicate(bound: Bound) -> Code:
    handle, unique = bound.tag_template(":handle"), bound.tag_template(":uniqueid")
    header = bound.tag_string(":header")
    if header is not None and not is_field_name(header):
        return bound.fail(bound.at, f'"{header}" is no name of a field')
    name = (header or _MESSAGE_ID).lower()
    given = bound.tag_number(":seconds")
    seconds = min(given.value, SECONDS_MAX) if given is not None else SECONDS_DEFAULT
    is_last = bound.has(":last")

    async def ask(run: Run) -> bool:
        seen = run.doors.seen
        if seen is None:
            raise ScriptFailed("what was seen before is not known here")
        values = [unique.read(run)] if unique is not None else run.message().values(name)[:1]
        if not values or not values[0]:
            return False  # §3.1: nothing to know it by
        return await seen(Sighting(handle.read(run) if handle is not None else "", values[0], seconds, is_last))

    return Waiting(ask)


DUPLICATE = (
    Spec(
        "duplicate",
        Kind.TEST,
        _duplicate,
        capabilities=("duplicate",),
        tags=(
            Tag(":handle", value=ArgumentType.TEXT),
            Tag(":header", _OF_WHAT, ArgumentType.STRING),
            Tag(":uniqueid", _OF_WHAT, ArgumentType.TEXT),
            Tag(":seconds", value=ArgumentType.NUMBER),
            Tag(":last"),
        ),
        stages=(OUTSIDE,),
    ),
)
