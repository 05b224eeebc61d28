"""What policies note for themselves and each other: `mapset` (vnd.mtad.lookup).

    mapset [":expire" <number>] [":onerror" <string>] <map: string> <key: string> <value: string>

The map is one that `map :kept` has named. Where it cannot be set the stage ends for now, unless `:onerror` says
"continue".
"""

from __future__ import annotations

from mtad.maps.answer import Unavailable
from mtad.sieve.code import Code, Waiting, constant
from mtad.sieve.kept_map import KeptMap
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.lists import KEPT_STAGES, named_map
from mtad.sieve.onerror import ON_ERROR_TAG, or_continue
from mtad.sieve.run import Run

EXPIRE_SECONDS_MAX = 90 * 86400
EXPIRE_SECONDS_DEFAULT = 30 * 86400
VALUE_OCTETS_MAX = 256
_NODES = 100  # that it costs: 1000 at most in a run, for each is written
_EXPIRE = Tag(":expire", value=ArgumentType.NUMBER)


def _mapset(bound: Bound) -> Code:
    if bound.stands_in("monitor"):
        return bound.fail(bound.at, "mapset cannot stand in monitor, for it is done at once")
    name, expire = bound.string(0), bound.tag_number(_EXPIRE.name)
    seconds = EXPIRE_SECONDS_DEFAULT if expire is None else expire.value
    if expire is not None and not 1 <= seconds <= EXPIRE_SECONDS_MAX:
        return bound.fail(expire.at, f":expire is 1 to {EXPIRE_SECONDS_MAX} seconds")
    found = named_map(bound, name, bound.strings(0).at)
    if found is None:
        return constant(False)
    if not isinstance(found, KeptMap):
        return bound.fail(bound.strings(0).at, f'"{name}" is not a map that `map :kept` has named')
    key, value, failed = bound.templates(1)[0], bound.templates(2)[0], or_continue(bound, name)
    kept = found

    async def put(run: Run) -> bool:
        run.spend(_NODES)
        text = value.read(run)
        if len(text.encode("utf-8", "surrogateescape")) > VALUE_OCTETS_MAX:
            return failed(run, f"a value has {VALUE_OCTETS_MAX} octets at most")
        answer = await kept.put(key.read(run), text, seconds)
        return isinstance(answer, Unavailable) and failed(run, answer.why)

    return Waiting(put)


MAPSET = (
    Spec(
        "mapset",
        Kind.COMMAND,
        _mapset,
        capabilities=("vnd.mtad.lookup",),
        tags=(_EXPIRE, ON_ERROR_TAG),
        positional=(ArgumentType.STRING, ArgumentType.TEXT, ArgumentType.TEXT),
        stages=KEPT_STAGES,
    ),
)
