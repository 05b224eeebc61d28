"""Changing the header section: `addheader` and `deleteheader` (RFC 5293). What follows in a script sees the change."""

from __future__ import annotations

from collections.abc import Sequence

from mtad.sieve.code import Code, Plain
from mtad.sieve.edits import AddField, DeleteFields, one_line, without
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, Found, finder
from mtad.sieve.message import FIELD_LENGTH_MAX
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.sources import is_field_name, picked
from mtad.sieve.template import Template

_KEPT = ("received", "auto-submitted")  # §5: these cannot be deleted
_CAPABILITY = ("editheader",)
_APART = ("foreachrcpt", "monitor")


def stands_apart(bound: Bound) -> str:
    """Return the block around a command that is for one recipient or on trial; '' when there is none."""
    return next(filter(bound.stands_in, _APART), "")


def _addheader(bound: Bound) -> Code:
    if around := stands_apart(bound):
        return bound.fail(bound.at, f"addheader cannot stand in {around}")
    name, value = _name(bound), bound.templates(1)[0]
    is_last = bound.has(":last")

    def add(run: Run) -> bool:
        field = (_checked(name.read(run)), one_line(value.read(run)[:FIELD_LENGTH_MAX]))
        message = run.message()
        fields = message.fields()
        run.edited = message.with_fields([*fields, field] if is_last else [field, *fields])
        run.spend(len(fields))
        return run.act(AddField(*field, is_last))

    return Plain(add)


def _deleteheader(bound: Bound) -> Code:
    if around := stands_apart(bound):
        return bound.fail(bound.at, f"deleteheader cannot stand in {around}")
    name, pick = _name(bound), picked(bound)
    if bound.chosen.get("match") == ":count":
        return bound.fail(bound.at, "deleteheader cannot use :count")
    wanted = finder(bound, bound.templates(1)) if len(bound.positional) > 1 else None

    def delete(run: Run) -> bool:
        folded = _checked(name.read(run)).lower()
        message = run.message()
        values = message.values(folded)
        if folded in _KEPT or not values:
            return False
        run.spend(len(values))
        places = tuple(_places(values, pick, wanted(run) if wanted is not None else None))
        if not places:
            return False
        run.edited = message.with_fields(without(message.fields(), lambda field: field[0].lower() == folded, places))
        return run.act(DeleteFields(folded, places))

    return Plain(delete)


def _places(values: Sequence[str], pick: slice | None, is_wanted: Found | None) -> list[int]:
    """Return which of the values go."""
    places = range(len(values))
    return [at for at in (places if pick is None else places[pick]) if is_wanted is None or is_wanted(values[at])]


def _name(bound: Bound) -> Template:
    """Compile the name of a field."""
    name = bound.templates(0)[0]
    if name.constant is not None and not is_field_name(name.constant):
        bound.fail(bound.strings(0).at, f'"{name.constant}" is no name of a field')
    return name


def _checked(name: str) -> str:
    if not is_field_name(name):
        raise ScriptFailed(f'"{name[:100]}" is no name of a field')
    return name


EDITHEADER = (
    Spec(
        "addheader",
        Kind.COMMAND,
        _addheader,
        capabilities=_CAPABILITY,
        tags=(Tag(":last"),),
        positional=(ArgumentType.TEXT, ArgumentType.TEXT),
        stages=(OUTSIDE, "data"),
    ),
    Spec(
        "deleteheader",
        Kind.COMMAND,
        _deleteheader,
        capabilities=_CAPABILITY,
        tags=(*MATCH_TAGS, Tag(":index", value=ArgumentType.NUMBER), Tag(":last")),
        positional=(ArgumentType.TEXT, ArgumentType.TEXTS),
        optional=1,
        stages=(OUTSIDE, "data"),
    ),
)
