"""Variables: `set` and `string` (RFC 5229)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtad.sieve.code import Code, Plain
from mtad.sieve.comparators import ascii_casemap
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag, Write
from mtad.sieve.match import MATCH_TAGS, Source, compare, is_count
from mtad.sieve.regex import quoted
from mtad.sieve.run import Run
from mtad.sieve.syntax import Text
from mtad.sieve.template import Template, reference

CAPABILITY = "variables"

Change = Callable[[str], str]
_CHANGED = 8  # characters that are changed for a node

_WILD = str.maketrans({letter: f"\\{letter}" for letter in "*?\\"})
_LOWER = {letter: letter - 32 for letter in range(ord("a"), ord("z") + 1)}


def _upper(text: str) -> str:
    """Raise a to z and nothing else, as `:lower` lowers A to Z."""
    return text.upper() if text.isascii() else text.translate(_LOWER)


def _length(text: str) -> str:
    return str(len(text))


_MODIFIERS: Mapping[str, tuple[str, Change]] = {  # in the order of their precedence (§4.1)
    ":lower": ("case", ascii_casemap),
    ":upper": ("case", _upper),
    ":lowerfirst": ("first letter", lambda text: ascii_casemap(text[:1]) + text[1:]),
    ":upperfirst": ("first letter", lambda text: _upper(text[:1]) + text[1:]),
    ":quotewildcard": ("quoting", lambda text: text.translate(_WILD)),
    ":quoteregex": ("quoting", quoted),
    ":length": ("length", _length),
}
MODIFIER_TAGS = tuple(
    Tag(name, group, capability="regex" if name == ":quoteregex" else "") for name, (group, _) in _MODIFIERS.items()
)


def modifier(bound: Bound) -> Callable[[Run, str], str] | None:
    """Make what the modifiers of a command do to a value, the one of highest precedence first."""
    changes = [change for name, (_, change) in _MODIFIERS.items() if bound.has(name)]
    if not changes:
        return None
    is_length = bound.has(":length")

    def change_all(run: Run, value: str) -> str:
        if not is_length:
            value = value[: run.limits.value_length_max]  # what it keeps in any case
        for change in changes:
            run.spend(1 + len(value) // _CHANGED if change is not _length else 1)
            value = change(value)
        return value

    return change_all


def writer_of(bound: Bound, item: Text) -> Write:
    """Make what sets the variable of this name; reports what is no name of one."""
    variable = reference(item.value)
    if variable is None or variable.path[0][0].isdigit():
        bound.fail(item.at, f'"{item.value}" is no name of a variable')
        return _nowhere
    first, *rest = variable.path
    if bound.computed(variable.path) is not None:
        bound.fail(item.at, f'"{item.value}" cannot be set')
        return _nowhere
    if not rest:
        return setting(bound.unit.variable(first, item.at))
    namespace = bound.namespace(variable.path, item.at)
    found = namespace.writer(bound, rest) if namespace is not None else ""
    if isinstance(found, str):
        if namespace is not None:
            bound.fail(item.at, f'"{variable.name}": {found}')
        return _nowhere
    return found


def _nowhere(run: Run, value: str) -> None:
    """Set nothing: stands where an error was reported."""


def setting(key: str) -> Write:
    """Make what sets the variable of this key, cut where it is longer than a value may be."""

    def write(run: Run, value: str) -> None:
        run.variables[key] = value[: run.limits.value_length_max]

    return write


def _set(bound: Bound) -> Code:
    write, change = writer_of(bound, bound.strings(0).items[0]), modifier(bound)
    value = bound.template(bound.strings(1).items[0])

    def assign(run: Run) -> bool:
        text = value.read(run)
        write(run, change(run, text) if change is not None else text)
        return False

    return Plain(assign)


def _string(bound: Bound) -> Code:
    sources = bound.templates(0)
    return compare(bound, bound.templates(1), [_each(sources, is_count(bound))])


def _each(sources: Sequence[Template], is_count: bool) -> Source:
    """Give the strings; to be counted only those that hold something (§5)."""
    if is_count:
        return lambda run: [value for source in sources if (value := source.read(run))]
    return lambda run: [source.read(run) for source in sources]


VARIABLES = (
    Spec(
        "set",
        Kind.COMMAND,
        _set,
        capabilities=(CAPABILITY,),
        tags=MODIFIER_TAGS,
        positional=(ArgumentType.STRING, ArgumentType.TEXT),
    ),
    Spec(
        "string",
        Kind.TEST,
        _string,
        capabilities=(CAPABILITY,),
        tags=MATCH_TAGS,
        positional=(ArgumentType.TEXTS, ArgumentType.TEXTS),
    ),
)
