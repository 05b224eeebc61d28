"""The envelope: the test `envelope` (RFC 5228 §5.4), and the variables `${envelope.from}` and their like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from mtad.mail.deliver_by import DeliverBy
from mtad.sieve.addresses import ADDRESS_PARTS, address_part
from mtad.sieve.capabilities.date import iso8601, zone_of
from mtad.sieve.code import Code
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Namespace, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, Source, compare
from mtad.sieve.run import Run
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
_TIMES: Mapping[str, Callable[[DeliverBy, datetime, tzinfo | None], str]] = {  # by when it is to be there (RFC 6009)
    "bytimeabsolute": lambda by, now, zone: iso8601(datetime.fromtimestamp(by.until_ms // 1000, UTC).astimezone(zone)),
    "bytimerelative": lambda by, now, zone: str(by.left(int(now.timestamp() * 1000)).seconds),
    "bymode": lambda by, now, zone: by.late.value,
    "bytrace": lambda by, now, zone: "T" if by.is_traced else "",
}
_DELIVERBY_STAGES = dict.fromkeys(_TIMES, (OUTSIDE, "mail", "rcpt", "data"))
_ZONE = Tag(":zone", value=ArgumentType.STRING, capability=_DELIVERBY)
_PARAMETERS: Mapping[str, tuple[str, tuple[str, ...]]] = {  # of MAIL and RCPT: what must be required, and where each is
    **{name: (_DSN, stages) for name, stages in _DSN_STAGES.items()},
    **{name: (_DELIVERBY, stages) for name, stages in _DELIVERBY_STAGES.items()},
}
_ONE_RECIPIENT = (OUTSIDE, "rcpt", "deliver", "queue")
_FOR_EACH = "foreachrcpt"


def _envelope(bound: Bound) -> Code:
    part, zone = part_of(bound), zone_of(bound)
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
        found.append(_source(name, part) if name in _STAGES else _parameter(name, zone))
    return compare(bound, bound.templates(1), found)


def _source(name: str, part: Part) -> Source:
    return lambda run: parts(run.envelope(name), part)


def _parameter(name: str, zone: Callable[[Run], tzinfo | None]) -> Source:
    read = _TIMES.get(name)
    if read is None:
        return lambda run: run.facts.envelope(name)

    def ask(run: Run) -> Sequence[str]:
        by = run.facts.deliver_by()
        return () if by is None else [value for value in (read(by, run.now(), zone(run)),) if value]

    return ask


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
        tags=(*MATCH_TAGS, *PART_TAGS, _ZONE),
        positional=(ArgumentType.STRINGS, ArgumentType.TEXTS),
    ),
)
