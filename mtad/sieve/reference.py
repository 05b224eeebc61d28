"""Writes docs/reference/sieve/ from the spec table, a page a capability: `python -m mtad.sieve.reference`.

With --check, only says whether the pages are fresh. What is no row of the table stands in the modules reference_*.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mtad.generated import write_or_check
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.language import OUTSIDE, ArgumentType, Kind, Language, Spec, Tag, Tests
from mtad.sieve.reference_ours import OURS
from mtad.sieve.reference_standard import STANDARD
from mtad.sieve.reference_table import ARGUMENTS, About

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "sieve"
_WRITTEN = "<!-- Written by `python -m mtad.sieve.reference` from mtad/sieve. Change it there. -->"
_TYPES: Mapping[ArgumentType, str] = {
    ArgumentType.NUMBER: "number",
    ArgumentType.STRING: "constant string",
    ArgumentType.STRINGS: "constant string-list",
    ArgumentType.TEXT: "string",
    ArgumentType.TEXTS: "string-list",
}
_TESTS: Mapping[Tests, str] = {Tests.NONE: "", Tests.ONE: " <test>", Tests.LIST: " <tests>"}
_SHORT = {"match": "[MATCH-TYPE]", ":comparator": "[COMPARATOR]", "address part": "[ADDRESS-PART]"}
ABOUT = (*STANDARD, *OURS)
_OUR_PREFIX = "vnd.mtad."
_OF_TESTS = (Kind.TEST, Kind.OFFER)
_INDEX = """\
# Sieve: its capabilities

{written}

What each adds to the language, and an example that runs. [What scripts may say](../sieve.md) has the limits, and what
of a message is seen.

| | | Policy | Plain |
| --- | --- | --- | --- |
{rows}

In the usages, MATCH-TYPE is `:is` (which it is without one), `:contains`, `:matches`, `:regex <keys>`
([regex](regex.md)), `:count <relation>`, `:value <relation>` ([relational](relational.md)) or `:list`
([extlists](extlists.md)); COMPARATOR is `:comparator <name>` ([comparators](comparators.md)); ADDRESS-PART is `:all`
(which it is without one), `:localpart`, `:domain`, `:user` or `:detail` ([subaddress](subaddress.md)). A string may
hold variables, a constant string not.
"""


def pages() -> dict[str, str]:
    """Return the text of each page, by the name of its file."""
    rows = "\n".join(
        f"| [{_names(about)}]({about.page}.md) | {about.source} | {_has(POLICY, about)} | {_has(PLAIN, about)} |"
        for about in ABOUT
    )
    index = _INDEX.format(written=_WRITTEN, rows=rows)
    return {"README.md": index} | {f"{about.page}.md": _page(about) for about in ABOUT}


def specs_of(about: About) -> list[Spec]:
    """Return the commands and tests that come with the capabilities of a page, each once."""
    found: dict[tuple[Kind, str], Spec] = {}
    for spec in (*POLICY.specs, *PLAIN.specs):
        if not set(about.capabilities).isdisjoint(spec.capabilities or ("",)):
            found.setdefault((spec.kind, spec.name), spec)
    return list(found.values())


def tags_of(about: About) -> dict[str, list[str]]:
    """Return the tags that its capabilities add to commands and tests of others, and to which."""
    found: dict[str, list[str]] = {}
    for spec in (*POLICY.specs, *PLAIN.specs):
        for tag in spec.tags:
            names = found.setdefault(tag.name, []) if tag.capability in about.capabilities and tag.capability else None
            if names is not None and spec.name not in names:
                names.append(spec.name)
    return found


def usage(spec: Spec) -> str:
    """Return how a command or test is written (RFC 5228 §1.2)."""
    words = [spec.name, *_tags(spec.tags)]
    first_optional = len(spec.positional) - spec.optional
    for index, (name, kind) in enumerate(zip(_argument_names(spec), spec.positional, strict=True)):
        word = f"<{name}: {_TYPES[kind]}>" if name else f"<{_TYPES[kind]}>"
        words.append(f"[{word}]" if index >= first_optional else word)
    end = " <block>" if spec.has_block else "" if spec.kind in _OF_TESTS else ";"
    return " ".join(words) + _TESTS[spec.tests] + end


def _argument_names(spec: Spec) -> Sequence[str]:
    """Return what the positional arguments are called, '' for one that has no name in the table."""
    names = ARGUMENTS.get(f"{spec.name} (a test)" if spec.kind in _OF_TESTS else "") or ARGUMENTS.get(spec.name, ())
    return (*names, *("" for _ in spec.positional))[: len(spec.positional)]


def _tags(tags: Sequence[Tag]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for tag in tags:
        value = f" <{_TYPES[tag.value]}>" if tag.value is not None else ""
        groups.setdefault(tag.group or tag.name, []).append(f"{tag.name}{value}")
    for group, words in groups.items():
        yield _SHORT.get(group, f"[{' / '.join(words)}]")


def _page(about: About) -> str:
    specs, tags = specs_of(about), tags_of(about)
    lines = [
        f"# {_names(about)}",
        "",
        _WRITTEN,
        "",
        f"{about.source[0].upper()}{about.source[1:]}. {_where(about)}",
        "",
        about.text,
        "",
    ]
    if specs:
        lines += ["```", *map(usage, specs), "```", "", "| | |", "| --- | --- |"]
        lines += [
            f"| `{spec.name}`{' (a test)' if spec.kind in _OF_TESTS else ''} | {_legal(spec)} |" for spec in specs
        ]
        lines.append("")
    if tags:
        lines += [f"- `{tag}` of {', '.join(f'`{name}`' for name in names)}" for tag, names in tags.items()]
        lines.append("")
    info = "sieve plain" if about.is_plain else "sieve"
    return "\n".join([*lines, "## Example", "", f"```{info}", about.example.rstrip("\n"), "```", ""])


def _names(about: About) -> str:
    return ", ".join(f"`{name}`" if name else "The base language" for name in about.capabilities)


def _where(about: About) -> str:
    in_policy, in_plain = _has(POLICY, about), _has(PLAIN, about)
    return (
        "In policies and in plain scripts."
        if in_policy and in_plain
        else "In policies."
        if in_policy
        else "In plain scripts."
    )


def _has(language: Language, about: About) -> str:
    is_ours = any(name.startswith(_OUR_PREFIX) for name in about.capabilities)  # an other engine would not know it
    is_there = set(about.capabilities) <= language.capabilities | {""}
    return "yes" if is_there and not (is_ours and language is PLAIN) else ""


def _legal(spec: Spec) -> str:
    if spec.kind in (Kind.REQUIRE, Kind.STAGE, Kind.DEFINITION):
        return "at the top level"
    stages = [f"`{stage}`" for stage in spec.stages if stage != OUTSIDE]
    plain = ["plain scripts"] if OUTSIDE in spec.stages else []
    return ", ".join([*stages, *plain]) if spec.stages else "everywhere"


def main() -> None:
    """Write the pages, or check them."""
    write_or_check({FOLDER / name: text for name, text in pages().items()}, "mtad.sieve.reference")


if __name__ == "__main__":
    main()
