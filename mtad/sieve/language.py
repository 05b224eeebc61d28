"""The spec table: what commands and tests there are, what they take, where they are legal.

A capability is a module that gives a tuple of Specs; a Language is the sum of those that a kind of script may use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from enum import Enum

from mtad.sieve.code import Code, constant, sequence
from mtad.sieve.errors import Report
from mtad.sieve.syntax import Number, Strings

OUTSIDE = ""  # the "stage" of what stands in no stage block


class Kind(Enum):
    """What the compiler does with a row of the table."""

    REQUIRE = "require"  # opens capabilities
    STAGE = "stage"  # opens a stage's block
    COMMAND = "command"
    TEST = "test"


class ArgumentType(Enum):
    """What may stand as an argument."""

    NUMBER = "a number"
    STRING = "a string"
    STRINGS = "a string or a list of strings"


class Tests(Enum):
    """How many tests a command or test takes."""

    NONE = "no test"
    ONE = "one test"
    LIST = "a list of tests"


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged argument. Of one group, a command takes at most one tag."""

    name: str  # ':is'
    group: str = ""  # '' is a group of its own
    value: ArgumentType | None = None
    capability: str = ""  # '' comes with its command


def _structure(bound: Bound) -> Code:
    """Make nothing: require and stage are the compiler's own."""
    return constant(False)


@dataclass(frozen=True, slots=True)
class Spec:
    """One row: a command or test.

    capabilities   one of them must be required; () is the base language
    stages         where it is legal; () is everywhere. OUTSIDE is the script's own top level
    follows        it may stand only behind one of these, and belongs to the first of them
    build          makes the closure; reports what the table cannot say
    """

    name: str
    kind: Kind
    build: Callable[[Bound], Code] = _structure
    capabilities: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()
    positional: tuple[ArgumentType, ...] = ()
    tests: Tests = Tests.NONE
    has_block: bool = False
    stages: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """An item of the environment test, and where it is known; () is everywhere."""

    name: str
    stages: tuple[str, ...] = ()


@dataclass(slots=True)
class Bound:
    """A command or test whose arguments fit its spec."""

    spec: Spec
    at: int
    stage: str
    report: Report
    language: Language
    required: Set[str]  # the capabilities that the script has
    tags: Mapping[str, Number | Strings | None] = field(default_factory=dict)  # by name or group
    chosen: Mapping[str, str] = field(default_factory=dict)  # the tag's name by its group
    positional: tuple[Number | Strings, ...] = ()
    tests: tuple[Bound, ...] = ()
    block: tuple[Bound, ...] = ()
    chain: list[Bound] = field(default_factory=list)  # what follows and belongs to it

    def compile(self) -> Code:
        """Make the closure."""
        return self.spec.build(self)

    def compile_block(self) -> Code:
        """Make one closure of the commands in its block."""
        return compile_block(self.block)

    def compile_tests(self) -> list[Code]:
        """Make the closures of its tests."""
        return [test.compile() for test in self.tests]

    @property
    def nodes(self) -> int:
        """How many nodes it counts, without its block."""
        return 1 + sum(test.nodes for test in self.tests) + sum(link.nodes for link in self.chain)

    def has(self, tag: str) -> bool:
        """Tell whether a tag was given."""
        return tag in self.tags

    def tag_strings(self, tag: str) -> Strings | None:
        """Return the value of a tag that takes strings."""
        value = self.tags.get(tag)
        return value if isinstance(value, Strings) else None

    def tag_string(self, tag: str) -> str | None:
        """Return the value of a tag that takes one string."""
        value = self.tag_strings(tag)
        return value.items[0].value if value is not None else None

    def tag_number(self, tag: str) -> Number | None:
        """Return the value of a tag that takes a number."""
        value = self.tags.get(tag)
        return value if isinstance(value, Number) else None

    def strings(self, index: int) -> Strings:
        """Return a positional argument that the spec says is strings."""
        value = self.positional[index]
        assert isinstance(value, Strings)
        return value

    def string(self, index: int) -> str:
        """Return a positional argument that the spec says is one string."""
        return self.strings(index).items[0].value

    def number(self, index: int) -> int:
        """Return a positional argument that the spec says is a number."""
        value = self.positional[index]
        assert isinstance(value, Number)
        return value.value

    def fail(self, at: int, text: str) -> Code:
        """Report an error; the closure returned is never run."""
        self.report.add(at, text)
        return constant(False)


@dataclass(frozen=True, slots=True)
class Language:
    """What a kind of script may say.

    stages   the names of its stages; with none, the script is one plain block
    """

    specs: tuple[Spec, ...]
    environment: tuple[Environment, ...] = ()
    extra_capabilities: tuple[str, ...] = ()  # those that add no command, test or tag
    stages: tuple[str, ...] = ()
    by_name: Mapping[tuple[bool, str], Spec] = field(init=False)
    capabilities: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        by_name = {(spec.kind is Kind.TEST, spec.name): spec for spec in self.specs}
        if len(by_name) != len(self.specs):
            raise ValueError("two specs of one name")
        of_tags = {tag.capability for spec in self.specs for tag in spec.tags if tag.capability}
        of_specs = {name for spec in self.specs for name in spec.capabilities}
        object.__setattr__(self, "by_name", by_name)
        object.__setattr__(self, "capabilities", frozenset(of_tags | of_specs | set(self.extra_capabilities)))


def compile_block(block: tuple[Bound, ...]) -> Code:
    """Make one closure of commands that stand one after the other."""
    return sequence([command.compile() for command in block], sum(command.nodes for command in block))
