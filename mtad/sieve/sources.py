"""Where header tests find their values: fields by name, one of several by `:index` (RFC 5260 §6), of which entities
(RFC 5703 §4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from mtad.sieve.addresses import ADDRESS_PARTS, address_part
from mtad.sieve.encoded_word import decoded
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Tag
from mtad.sieve.match import Source
from mtad.sieve.message import ALL, Message
from mtad.sieve.mime import FieldValue
from mtad.sieve.run import Run
from mtad.sieve.template import Template, fixed

_SUBADDRESS = (":user", ":detail")
PART_TAGS = tuple(
    Tag(name, "address part", capability="subaddress" if name in _SUBADDRESS else "") for name in ADDRESS_PARTS
)

Part = Callable[[str], str | None]  # of an address
Pick = slice  # of the fields of one name
Reader = Callable[[Message, str, Pick], Sequence[str]]  # of an entity's fields of a name
Entities = Callable[[Run], Iterable[Message]]
_Ask = Callable[[Run, Message], Sequence[str]]

INDEX_TAGS = (Tag(":index", value=ArgumentType.NUMBER, capability="index"), Tag(":last", capability="index"))
ENTITY_TAGS = (Tag(":mime", capability="mime"), Tag(":anychild", capability="mime"))
_OPTIONS: Mapping[str, Callable[[FieldValue], Sequence[str]]] = {
    ":type": lambda value: (value.type,),
    ":subtype": lambda value: (value.subtype,),
    ":contenttype": lambda value: (f"{value.type}/{value.subtype}" if value.subtype else value.type,),
}
OPTION_TAGS = (
    *(Tag(name, "MIME option", capability="mime") for name in _OPTIONS),
    Tag(":param", "MIME option", ArgumentType.STRINGS, "mime"),
)
_COUNTED = 8  # fields that are counted for a node
_STRUCTURED = ("content-type", "content-disposition")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,996}\Z")  # with ": " behind it no longer than a line (RFC 5322 §2.1.1)


def field_names(bound: Bound, index: int) -> list[Template]:
    """Compile names of fields, folded when they are read.

    One that no field can have never matches (RFC 5228 §2.4.2.2); in a policy it is a mistake to report.
    """
    names: list[Template] = []
    for item in bound.strings(index).items:
        name = bound.template(item)
        if bound.stage != OUTSIDE and name.constant is not None and not is_field_name(name.constant):
            bound.fail(item.at, f'"{name.constant}" is no name of a field')
        names.append(fixed(name.constant.lower()) if name.constant is not None else _lowered(name))
    return names


def is_field_name(name: str) -> bool:
    """Tell whether a field may be called so."""
    return _FIELD_NAME.match(name) is not None


def part_of(bound: Bound) -> Part:
    """Return what takes the part out of an address that a test's tags name."""
    return address_part(bound.chosen.get("address part", ":all"), bound.unit.defined.separators)


def parts(addresses: Sequence[str], part: Part) -> list[str]:
    """Return the part of each address that has it."""
    return [value for address in addresses if (value := part(address)) is not None]


def sources(bound: Bound, names: Iterable[Template], read: Reader) -> list[Source]:
    """Make a source of each name; with an index one of all of them, for it counts through all the fields they name."""
    pick, entities, names = picked(bound), entities_of(bound), list(names)
    if pick is not None and len(names) > 1:
        return [_source(_one_of(names, read, pick), entities)]
    return [_source(_of(name, read, pick or ALL), entities) for name in names]


def _of(name: Template, read: Reader, pick: Pick) -> _Ask:
    return lambda run, entity: read(entity, name.read(run), pick)


def _one_of(names: Sequence[Template], read: Reader, pick: Pick) -> _Ask:
    """Make what reads the field that the index names, counted in the order of the names (RFC 5260 §6)."""

    def ask(run: Run, entity: Message) -> Sequence[str]:
        written = [name.read(run) for name in names]
        run.spend(len(written))
        counted = [(name, at) for name in written for at in range(len(entity.values(name)))]
        run.spend(len(counted) // _COUNTED)
        return [value for name, at in counted[pick] for value in read(entity, name, slice(at, at + 1))]

    return ask


def _source(ask: _Ask, entities: Entities | None) -> Source:
    if entities is None:
        return lambda run: ask(run, run.message())

    def ask_each(run: Run) -> Sequence[str]:
        found: list[str] = []
        for entity in entities(run):
            run.spend(1)
            found += ask(run, entity)
        return found

    return ask_each


def values(entity: Message, name: str, pick: Pick) -> Sequence[str]:
    """Read the values of fields."""
    return entity.values(name)[pick]


def picked(bound: Bound) -> Pick | None:
    """Return what picks the one field that `:index` names, counted from 1, with `:last` from the end."""
    given, is_last = bound.tag_number(":index"), bound.has(":last")
    if given is None:
        if is_last:
            bound.fail(bound.at, ":last needs :index")
        return None
    if given.value == 0:
        bound.fail(given.at, ":index counts from 1")
    if not is_last:
        return slice(given.value - 1, given.value)
    return slice(-given.value, -given.value + 1 or None)


def entities_of(bound: Bound) -> Entities | None:
    """Make what gives the entities whose fields a test reads; None for the message alone."""
    if not bound.has(":mime"):
        if bound.has(":anychild"):
            bound.fail(bound.at, ":anychild needs :mime")
        return None
    if bound.has(":anychild"):
        return lambda run: run.entity().walk()
    return lambda run: (run.entity(),)


def mime_reader(bound: Bound) -> Reader:
    """Make what reads of fields what `:type`, `:subtype`, `:contenttype` or `:param` name; without them all of it.

    Many write encoded words into parameters, and most readers decode them there, though RFC 2047 §5 forbids it.
    """
    option = bound.chosen.get("MIME option")
    if option is None:
        return values
    if not bound.has(":mime"):
        bound.fail(bound.at, f"{option} needs :mime")
    given = bound.tag_strings(":param")
    if given is not None:
        names = {item.value.lower() for item in given.items}
        return _structured(lambda value: [decoded(text) for name, text in value.parameters.items() if name in names])
    return _structured(_OPTIONS[option])


def _structured(parts: Callable[[FieldValue], Sequence[str]]) -> Reader:
    def read(entity: Message, name: str, pick: Pick) -> Sequence[str]:
        value = entity.mime_value(name) if name in _STRUCTURED else None
        return parts(value) if value is not None else ()

    return read


def _lowered(name: Template) -> Template:
    return Template(lambda run: name.read(run).lower())
