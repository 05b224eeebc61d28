"""Checks a parsed script against the spec table and binds arguments to it. Reports every error that it can find."""

from __future__ import annotations

from collections.abc import Sequence

from mtad.sieve import encoded_character
from mtad.sieve.effort import NODE
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag, Tests, Unit
from mtad.sieve.syntax import Argument, Node, Number, Strings, TagName, Text
from mtad.sieve.template import Reference, pieces

_LISTS = (ArgumentType.STRINGS, ArgumentType.TEXTS)
_STRINGS = (ArgumentType.STRING, ArgumentType.TEXT, *_LISTS)
_CONSTANT = (ArgumentType.STRING, ArgumentType.STRINGS)
# By themselves: to find a member in its class takes Python 3.11 longer than to look at an argument.
_REQUIRE = Kind.REQUIRE
_STAGE = Kind.STAGE
_DEFINITION = Kind.DEFINITION
_COMMAND = Kind.COMMAND
_OFFER = Kind.OFFER
_NO_TEST = Tests.NONE
_TESTS = Tests.LIST
_ONE_TEST = Tests.ONE
_NUMBER = ArgumentType.NUMBER


def validate(script: Sequence[Node], unit: Unit, stage: str | None = None) -> dict[str, tuple[Bound, ...]]:
    """Bind what is right and report what is not; the result is complete only if nothing was reported.

    Returns the commands of each stage; those outside of all stages under OUTSIDE.
    stage   the script is what stands in this stage, and has none itself
    """
    validator = _Validator(unit)
    return validator.script(script) if stage is None else validator.part(script, stage)


class _Validator:
    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._language = unit.language
        self._report = unit.report
        self._required = unit.required
        self._stage = OUTSIDE
        self._parent: Bound | None = None

    def script(self, script: Sequence[Node]) -> dict[str, tuple[Bound, ...]]:
        stages: dict[str, tuple[Bound, ...]] = {}
        rest: list[Node] = []
        is_start = True
        for node in script:
            spec = self._language.by_name.get((False, node.name))
            kind = spec.kind if spec is not None else None
            if kind is _REQUIRE and spec is not None:
                self._require(node, spec, is_start)
                continue
            is_start = False
            if kind is _STAGE and spec is not None:
                self._open_stage(node, spec, stages)
            elif kind is _DEFINITION and spec is not None:
                self._define(node, spec)
            elif self._language.stages and kind is not None:
                self._report.add(node.at, f"{node.name} must stand inside a stage")
            else:
                rest.append(node)
        stages[OUTSIDE] = self._block(rest)
        return stages

    def part(self, script: Sequence[Node], stage: str) -> dict[str, tuple[Bound, ...]]:
        self._stage = stage
        rest: list[Node] = []
        for node in script:
            spec = self._language.by_name.get((False, node.name))
            if spec is not None and spec.kind is _REQUIRE:
                self._require(node, spec, not rest)
            else:
                rest.append(node)
        return {stage: self._block(rest)}

    def _require(self, node: Node, spec: Spec, is_start: bool) -> None:
        if not is_start:
            self._report.add(node.at, "require must stand before all other commands")  # RFC 5228 §3.2
        bound = self._bind(node, spec)
        for item in bound.strings(0).items if bound is not None else ():
            if item.value in self._language.capabilities:
                self._required.add(item.value)
            else:
                self._report.add(item.at, f'unknown capability "{item.value}"')

    def _define(self, node: Node, spec: Spec) -> None:
        bound = self._bind(node, spec)
        if bound is not None:
            bound.compile()

    def _open_stage(self, node: Node, spec: Spec, stages: dict[str, tuple[Bound, ...]]) -> None:
        given = node.arguments[0] if node.arguments else None
        name = given.items[0].value if isinstance(given, Strings) else OUTSIDE
        if isinstance(given, Strings) and name not in self._language.stages:
            self._report.add(given.at, f'unknown stage "{name}": one of {", ".join(self._language.stages)}')
            return  # what is legal in it nobody knows
        self._stage = name
        bound = self._bind(node, spec)
        self._stage = OUTSIDE
        if name in stages:
            self._report.add(node.at, f'stage "{name}" stands twice in this file')
        if bound is not None:
            stages[name] = bound.block

    def _block(self, nodes: Sequence[Node]) -> tuple[Bound, ...]:
        found: list[Bound] = []
        before = ""
        for node in nodes:
            bound = self._command(node, before)
            before = node.name
            if bound is None:
                continue
            if bound.spec.follows and found:
                found[-1].chain.append(bound)
            else:
                found.append(bound)
        return tuple(found)

    def _command(self, node: Node, before: str) -> Bound | None:
        spec = self._lookup(node, is_test=False)
        if spec is None:
            return None
        if spec.kind is not _COMMAND:
            self._report.add(node.at, f"{node.name} must stand at the top level")
            return None
        if spec.follows and before not in spec.follows:
            self._report.add(node.at, f"{node.name} must follow {' or '.join(spec.follows)}")
        return self._bind(node, spec)

    def _lookup(self, node: Node, is_test: bool) -> Spec | None:
        spec = self._language.by_name.get((is_test, node.name))
        if spec is None:
            other = (not is_test, node.name) in self._language.by_name
            what, instead = ("test", "command") if is_test else ("command", "test")
            self._report.add(
                node.at, f"{node.name} is a {instead}, not a {what}" if other else f"unknown {what} {node.name}"
            )
        return spec

    def _bind(self, node: Node, spec: Spec) -> Bound | None:
        """Check everything about one node and what it holds; None when an error leaves nothing to compile."""
        if not self._report.spend(node.at, NODE):
            return None
        missing = bool(spec.capabilities) and self._required.isdisjoint(spec.capabilities)
        if missing:
            names = " or ".join(f'"{name}"' for name in spec.capabilities)
            self._report.add(node.at, f"{node.name} needs require {names}")
        if spec.stages and self._stage not in spec.stages:
            where = f'in stage "{self._stage}"' if self._stage else "outside of the stages"
            self._report.add(node.at, f"{node.name} is not legal {where}")
        if spec.tests is _NO_TEST and node.tests:
            self._report.add(node.tests[0].at, f"{node.name} takes no test; is a ';' missing before it?")
            return None
        bound = Bound(spec, node.at, self._stage, self._unit, self._parent)
        is_right = self._arguments(node, spec, bound) and not missing
        if spec.kind is _OFFER and is_right:
            self._offer(bound)
        is_right = self._tests(node, spec, bound) and self._tests_fit(node, spec) and is_right
        if bound.truth is not False:
            self._parent, outer = bound, self._parent
            bound.block = self._block(node.block or ())
            self._parent = outer
        if (node.block is not None) is not spec.has_block:
            self._report.add(node.at, f"{node.name} needs a block" if spec.has_block else f"{node.name} takes no block")
            is_right = False
        return bound if is_right else None

    def _offer(self, bound: Bound) -> None:
        """Decide a test of capabilities, and open them if all are there (RFC 5463 §4)."""
        names = {item.value for item in bound.strings(0).items}
        bound.truth = names <= self._language.capabilities
        if bound.truth:
            self._required.update(names)

    def _tests(self, node: Node, spec: Spec, bound: Bound) -> bool:
        """Bind the tests, up to one that decides that those behind it are never asked."""
        found: list[Bound] = []
        is_right = True
        for test in node.tests:
            one = self._test(test)
            if one is None:
                is_right = False
                continue
            found.append(one)
            if one.truth is False and spec.name == "allof":
                break
        bound.tests = tuple(found)
        if found and is_right:
            bound.truth = _TRUTHS.get(spec.name, _first)([test.truth for test in found])
        return is_right

    def _test(self, node: Node) -> Bound | None:
        spec = self._lookup(node, is_test=True)
        return self._bind(node, spec) if spec is not None else None

    def _tests_fit(self, node: Node, spec: Spec) -> bool:
        given = _TESTS if node.is_test_list else _ONE_TEST if node.tests else _NO_TEST
        if given is spec.tests:
            return True
        self._report.add(node.tests[0].at if node.tests else node.at, f"{node.name} takes {spec.tests.value}")
        return False

    def _arguments(self, node: Node, spec: Spec, bound: Bound) -> bool:
        """Bind tags and positional arguments; tags stand first (RFC 5228 §2.6.2)."""
        tags: dict[str, Number | Strings | None] = {}
        chosen: dict[str, str] = {}
        is_right = True
        left = list(reversed(node.arguments))
        while left and isinstance(left[-1], TagName):
            given = left.pop()
            assert isinstance(given, TagName)
            tag = spec.tags_by_name.get(given.name)
            if tag is None:
                self._report.add(given.at, f"{node.name} has no tag {given.name}")
                return False
            group = tag.group or tag.name
            is_right = self._tag_is_free(given, tag, chosen.get(group)) and is_right
            chosen[group] = tag.name
            value = None
            if tag.value is not None:
                value = self._typed(left.pop() if left else None, tag.value, f"{tag.name} needs", given.at)
                is_right = value is not None and is_right
            tags[tag.name] = value
        left.reverse()
        positional = self._positional(node, spec, left)
        bound.tags, bound.chosen = tags, chosen
        bound.positional = positional or ()
        return is_right and positional is not None

    def _tag_is_free(self, given: TagName, tag: Tag, taken: str | None) -> bool:
        if tag.capability and tag.capability not in self._required:
            self._report.add(given.at, f'{tag.name} needs require "{tag.capability}"')
            return False
        if taken is not None:
            self._report.add(given.at, f"{tag.name} stands beside {taken}: only one of them is possible")
            return False
        return True

    def _positional(self, node: Node, spec: Spec, given: Sequence[Argument]) -> tuple[Number | Strings, ...] | None:
        found: list[Number | Strings] = []
        for index, wanted in enumerate(spec.positional):
            if index >= len(given) and index >= len(spec.positional) - spec.optional:
                break
            argument = given[index] if index < len(given) else None
            value = self._typed(argument, wanted, f"argument {index + 1} of {node.name} must be", node.at)
            if value is None:
                return None
            found.append(value)
        if len(given) > len(found):
            self._report.add(given[len(found)].at, f"{node.name} has an argument too many here")
            return None
        return tuple(found)

    def _typed(self, given: Argument | None, wanted: ArgumentType, what: str, at: int) -> Number | Strings | None:
        if isinstance(given, Number) and wanted is _NUMBER:
            return given
        if not isinstance(given, Strings) or wanted not in (_LISTS if given.is_list else _STRINGS):
            self._report.add(given.at if given is not None else at, f"{what} {wanted.value}")
            return None
        value = self._decoded(given) if encoded_character.CAPABILITY in self._required else given
        if wanted in _CONSTANT and "variables" in self._required:
            for item in value.items:
                if "${" in item.value and any(isinstance(piece, Reference) for piece in pieces(item.value)):
                    self._report.add(item.at, f"{what} {wanted.value}: it may hold no variables")
                    return None
        return value

    def _decoded(self, given: Strings) -> Strings:
        items: list[Text] = []
        for item in given.items:
            value = encoded_character.characters_decoded(item.value)
            if isinstance(value, encoded_character.NoCharacter):
                self._report.add(item.at, f"{value.number[:20]} is the number of no character")
            else:
                items.append(Text(value, item.at))
        return given._replace(items=tuple(items) or given.items)


def _first(truths: Sequence[bool | None]) -> bool | None:
    return truths[0]


def _not(truths: Sequence[bool | None]) -> bool | None:
    return None if truths[0] is None else not truths[0]


def _anyof(truths: Sequence[bool | None]) -> bool | None:
    return True if True in truths else None if None in truths else False


def _allof(truths: Sequence[bool | None]) -> bool | None:
    return False if False in truths else None if None in truths else True


_TRUTHS = {"not": _not, "anyof": _anyof, "allof": _allof}
