"""The envelope: the test `envelope` (RFC 5228 §5.4), and the variables `${envelope.from}` and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtad.sieve.addresses import ADDRESS_PARTS, address_part
from mtad.sieve.code import Code
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Namespace, Spec
from mtad.sieve.match import MATCH_TAGS, Source, compare
from mtad.sieve.sources import PART_TAGS, Part, part_of, parts
from mtad.sieve.template import Read

_CAPABILITY = "envelope"
_STAGES: Mapping[str, tuple[str, ...]] = {  # where each part is known
    "from": (OUTSIDE, "mail", "rcpt", "data", "deliver", "queue"),
    "to": (OUTSIDE, "rcpt", "data", "deliver", "queue"),
    "auth": (OUTSIDE, "auth", "mail", "rcpt", "data", "deliver", "queue"),  # who authenticated; not in the RFC
}
_DSN = "envelope-dsn"
_DSN_STAGES: Mapping[str, tuple[str, ...]] = {  # what the sender asks to be told (RFC 6009 §2)
    "ret": (OUTSIDE, "mail", "rcpt", "data"),
    "envid": (OUTSIDE, "mail", "rcpt", "data"),
    "notify": (OUTSIDE, "rcpt"),
    "orcpt": (OUTSIDE, "rcpt"),
}
_DELIVERBY = "envelope-deliverby"
_DELIVERBY_STAGES: Mapping[str, tuple[str, ...]] = dict.fromkeys(  # RFC 6009; nobody can ask us, so none is there
    ("bytimeabsolute", "bytimerelative", "bymode", "bytrace"), (OUTSIDE, "mail", "rcpt", "data")
)
_PARAMETERS: Mapping[str, tuple[str, tuple[str, ...]]] = {  # of MAIL and RCPT: what must be required, and where each is
    **{name: (_DSN, stages) for name, stages in _DSN_STAGES.items()},
    **{name: (_DELIVERBY, stages) for name, stages in _DELIVERBY_STAGES.items()},
}
_ONE_RECIPIENT = (OUTSIDE, "rcpt", "deliver", "queue")
_FOR_EACH = "foreachrcpt"


def _envelope(bound: Bound) -> Code:
    part = part_of(bound)
    found: list[Source] = []
    for item in bound.strings(0).items:
        name = item.value.lower()
        capability, stages = _PARAMETERS.get(name, (_CAPABILITY, _STAGES.get(name, ())))
        if not stages:
            bound.fail(item.at, f'unknown envelope part "{item.value}": one of {", ".join((*_STAGES, *_PARAMETERS))}')
        elif bound.stage not in stages:
            bound.fail(item.at, f'envelope "{item.value}" is not known in stage "{bound.stage}"')
        elif capability not in bound.unit.required:
            bound.fail(item.at, f'envelope "{item.value}" needs require "{capability}"')
        elif name in _PARAMETERS and bound.chosen.get("address part", ":all") != ":all":
            bound.fail(item.at, f'envelope "{item.value}" is no address')
        found.append(_source(name, part) if name in _STAGES else _parameter(name))
    return compare(bound, bound.templates(1), found)


def _source(name: str, part: Part) -> Source:
    return lambda run: parts(run.envelope(name), part)


def _parameter(name: str) -> Source:
    if name in _DELIVERBY_STAGES:
        return lambda run: ()
    return lambda run: run.facts.envelope(name)


def _reader(bound: Bound, path: Sequence[str]) -> Read | str:
    """Make what reads `${envelope.PART}` or `${envelope.PART.ADDRESS-PART}`."""
    name, tag = path[0], f":{path[1] if len(path) > 1 else 'all'}"
    if name not in _STAGES or tag not in ADDRESS_PARTS or len(path) > 2:
        return f"one of {', '.join(_STAGES)}, behind it nothing or one of {', '.join(ADDRESS_PARTS).replace(':', '')}"
    if bound.stage not in _STAGES[name]:
        return f'it is not known in stage "{bound.stage}"'
    if name == "to" and not _has_one_recipient(bound):
        return f'there may be several in stage "{bound.stage}"'
    source = _source(name, address_part(tag, bound.unit.defined.separators))
    return lambda run: next(iter(source(run)), "")


def _has_one_recipient(bound: Bound) -> bool:
    return bound.stage in _ONE_RECIPIENT or bound.stands_in(_FOR_EACH)


WITH_ENVELOPE = (_DSN, _DELIVERBY)
"""The capabilities that add parts of the envelope and nothing else."""

ENVELOPE_VARIABLES = Namespace("envelope", _CAPABILITY, _reader)

ENVELOPE = (
    Spec(
        "envelope",
        Kind.TEST,
        _envelope,
        capabilities=(_CAPABILITY,),
        tags=MATCH_TAGS + PART_TAGS,
        positional=(ArgumentType.STRINGS, ArgumentType.TEXTS),
    ),
)
