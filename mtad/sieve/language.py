"""The spec table: what commands and tests there are, what they take, where they are legal.

A capability is a module that gives a tuple of Specs; a Language is the sum of those that a kind of script may use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial

from mtad.maps.answer import Map
from mtad.sieve.addresses import SEPARATOR
from mtad.sieve.code import Code, When, constant, sequence, told
from mtad.sieve.errors import Report
from mtad.sieve.outside import NOTHING, Outside
from mtad.sieve.run import Run
from mtad.sieve.scales import SpamScale, VirusScale
from mtad.sieve.syntax import Number, Strings, Text
from mtad.sieve.template import Read, Reference, Template, fixed, joined, pieces
from mtad.telemetry.metrics import Metric

CAPTURES_MAX = 32  # of the wildcards of a match; RFC 5229 §3.2 asks for 9
VARIABLES_MAX = 255  # of one script; RFC 5229 §6 asks for 128
NAME_LENGTH_MAX = 64  # of a variable; RFC 5229 §6 asks for 32
OUTSIDE = ""  # the "stage" of what stands in no stage block
SESSION_STAGES = ("connect", "ehlo", "auth", "mail", "rcpt", "data")


class Kind(Enum):
    """What the compiler does with a row of the table."""

    REQUIRE = "require"  # opens capabilities
    STAGE = "stage"  # opens a stage's block
    DEFINITION = "definition"  # stands at the top level, and says what stages may name
    COMMAND = "command"
    TEST = "test"
    OFFER = "offer"  # a test whether there are capabilities; opens them if there are


_TESTS = (Kind.TEST, Kind.OFFER)


class ArgumentType(Enum):
    """What may stand as an argument; only TEXT and TEXTS may hold variables."""

    NUMBER = "a number"
    STRING = "a constant string"
    STRINGS = "a constant string or a list of them"
    TEXT = "a string"
    TEXTS = "a string or a list of strings"


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
    optional       how many of the positional arguments, the last ones, may be missing
    runs_others    commands of another script, where it stands
    follows        it may stand only behind one of these, and belongs to the first of them
    build          makes the closure; reports what the table cannot say
    """

    name: str
    kind: Kind
    build: Callable[[Bound], Code] = _structure
    capabilities: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()
    positional: tuple[ArgumentType, ...] = ()
    optional: int = 0
    tests: Tests = Tests.NONE
    has_block: bool = False
    runs_others: bool = False
    stages: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    tags_by_name: Mapping[str, Tag] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags_by_name", {tag.name: tag for tag in self.tags})


@dataclass(frozen=True, slots=True)
class Environment:
    """An item of the environment test, and where it is known; () is everywhere.

    is_asked   it must be asked of DNS: the test waits for it, and no variable holds it
    """

    name: str
    stages: tuple[str, ...] = ()
    is_asked: bool = False


Write = Callable[[Run, str], None]


@dataclass(frozen=True, slots=True)
class Namespace:
    """Variables under a name of their own (RFC 5229 §3), and how they are read and set; a string says what is wrong."""

    name: str
    capability: str  # what the script must require
    reader: Callable[[Bound, Sequence[str]], Read | str]
    writer: Callable[[Bound, Sequence[str]], Write | str] = lambda bound, path: "it cannot be set"


@dataclass(frozen=True, slots=True)
class Computed:
    """A variable that stands for something the run knows, and cannot be set; a script has it that requires this."""

    name: str
    capability: str
    read: Read
    stages: tuple[str, ...]


Include = Callable[[str, str, str, frozenset[str]], Code | str | None]
"""By location, name, stage and the blocks around it; a string says what is wrong."""


def no_include(location: str, name: str, stage: str, around: frozenset[str]) -> Code | str | None:
    """Include nothing."""
    return None


@dataclass(slots=True)
class Definitions:
    """What a script says of itself at its top level, for itself and for those that it includes.

    maps         what it may look things up in, by name: those outside, and its own
    separators   the characters that divide a local part into user and detail (RFC 5233)
    lacks        what it asks, and nobody here can answer
    queue_names  of the queues that it chooses
    metrics      what it measures, by name; the files of a policy have them in common
    spam_scale, virus_scales   how spam and viruses are read where no scanner has looked (RFC 5235)
    """

    maps: dict[str, Map] = field(default_factory=dict)
    separators: str = SEPARATOR
    spam_scale: SpamScale | None = None
    virus_scales: list[VirusScale] = field(default_factory=list)
    lacks: set[str] = field(default_factory=set)
    queue_names: set[str] = field(default_factory=set)
    metrics: dict[str, Metric] = field(default_factory=dict)


@dataclass(slots=True)
class Unit:
    """One script that is being compiled.

    include        compiles another one
    scope          stands before the names of its variables in the run
    has_captures   it asks for what wildcards stood for
    outside        what it may ask beside its facts
    defined        what it defines, or the script that includes it
    around         the blocks that it is included in, where that makes a difference
    required       the capabilities that it has
    """

    report: Report
    language: Language
    include: Include = no_include
    scope: str = ""
    has_captures: bool = False
    outside: Outside = NOTHING
    defined: Definitions = field(default_factory=Definitions)
    around: frozenset[str] = frozenset()
    required: set[str] = field(default_factory=set)
    _variables: dict[str, str] = field(default_factory=dict)

    def variable(self, name: str, at: int) -> str:
        """Return the key of a variable in the run."""
        key = self._variables.setdefault(name, name if "." in name else self.scope + name)
        if len(name) > NAME_LENGTH_MAX:
            self.report.add(at, f"the name of a variable may have {NAME_LENGTH_MAX} characters")
        elif len(self._variables) > VARIABLES_MAX:
            self.report.add(at, f"a script may have {VARIABLES_MAX} variables")
        return key

    def own_keys(self) -> tuple[str, ...]:
        """Return the keys of the variables that are of this script alone."""
        return tuple(key for key in self._variables.values() if key.startswith(self.scope))

    def shared(self, name: str) -> str:
        """Return the key of a variable that all scripts of a run have in common (RFC 6609 §3.4)."""
        return f"global.{name}"

    def share(self, name: str) -> bool:
        """Let a name stand for the variable that all scripts have in common; False when it already is another."""
        return self._variables.setdefault(name, self.shared(name)) == self.shared(name)


@dataclass(slots=True)
class Bound:
    """A command or test whose arguments fit its spec."""

    spec: Spec
    at: int
    stage: str
    unit: Unit
    parent: Bound | None = None  # in whose block it stands
    tags: Mapping[str, Number | Strings | None] = field(default_factory=dict)  # by name or group
    chosen: Mapping[str, str] = field(default_factory=dict)  # the tag's name by its group
    positional: tuple[Number | Strings, ...] = ()
    tests: tuple[Bound, ...] = ()
    block: tuple[Bound, ...] = ()
    chain: list[Bound] = field(default_factory=list)  # what follows and belongs to it
    truth: bool | None = None  # of a test, where what the engine has decides it
    compared: list[str] = field(default_factory=list)  # what a test that is listened to has compared

    def outer(self) -> Iterator[Bound]:
        """Yield the commands in whose blocks it stands, the nearest first."""
        found = self.parent
        while found is not None:
            yield found
            found = found.parent

    def stands_in(self, block: str) -> bool:
        """Tell whether a block of this name is around it, or around what includes its script."""
        return block in self.unit.around or any(outer.spec.name == block for outer in self.outer())

    def compile(self) -> Code:
        """Make the closure."""
        code, tell = self.spec.build(self), self.unit.outside.tell
        if tell is None:
            return code
        where = partial(tell, self.unit.report.file, self.line, self.spec.name)

        def hear(value: bool | None) -> None:
            where(value, tuple(self.compared))
            self.compared.clear()

        spec, is_test = self.spec, self.spec.kind is Kind.TEST
        holds_others = spec.has_block or spec.runs_others or spec.tests is not Tests.NONE
        return told(code, hear, When.RESULT if is_test else When.BEFORE if holds_others else When.BEHIND)

    def compile_block(self) -> Code:
        """Make one closure of the commands in its block."""
        return compile_block(self.block)

    def compile_tests(self) -> list[Code]:
        """Make the closures of its tests."""
        return [test.compile() for test in self.tests]

    @property
    def line(self) -> int:
        """The line that it stands in."""
        return self.unit.report.line(self.at)

    @property
    def nodes(self) -> int:
        """How many nodes it counts, without its block."""
        return 1 + sum([test.nodes for test in self.tests]) + sum([link.nodes for link in self.chain])

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

    def template(self, item: Text) -> Template:
        """Compile a string that may hold variables."""
        if "${" not in item.value or "variables" not in self.unit.required:
            return fixed(item.value, item.at)
        parts = [self._reader(part, item.at) if isinstance(part, Reference) else part for part in pieces(item.value)]
        return fixed(item.value, item.at) if all(isinstance(part, str) for part in parts) else joined(parts)

    def templates(self, index: int) -> list[Template]:
        """Compile a positional argument that the spec says is texts."""
        return [self.template(item) for item in self.strings(index).items]

    def tag_template(self, tag: str) -> Template | None:
        """Compile the value of a tag that takes a text."""
        given = self.tag_strings(tag)
        return self.template(given.items[0]) if given is not None else None

    def namespace(self, path: Sequence[str], at: int) -> Namespace | None:
        """Return the namespace of a variable; None when there is none, which is reported."""
        found = next((one for one in self.unit.language.namespaces if one.name == path[0]), None)
        if found is None:
            self.unit.report.add(at, f'unknown namespace "{path[0]}"')
        elif found.capability not in self.unit.required:
            self.unit.report.add(at, f'namespace "{found.name}" needs require "{found.capability}"')
        return found

    def computed(self, path: Sequence[str]) -> Computed | None:
        """Return the computed variable that a name stands for here."""
        return next(
            (
                one
                for one in self.unit.language.computed
                if (one.name,) == tuple(path) and one.capability in self.unit.required and self.stage in one.stages
            ),
            None,
        )

    def spend(self, units: int) -> bool:
        """Count what it costs to compile it; tell whether that may be done."""
        return self.unit.report.spend(self.at, units)

    def fail(self, at: int, text: str) -> Code:
        """Report an error; the closure returned is never run."""
        self.unit.report.add(at, text)
        return constant(False)

    def _reader(self, variable: Reference, at: int) -> Read | str:
        """Make what reads a variable."""
        first, *rest = variable.path
        if rest:
            namespace = self.namespace(variable.path, at)
            found = namespace.reader(self, rest) if namespace is not None else ""
            if isinstance(found, str) and namespace is not None:
                self.unit.report.add(at, f'"{variable.name}": {found}')
            return found
        if first[0].isdigit():
            return self._captured(first, at)
        if (computed := self.computed(variable.path)) is not None:
            return computed.read
        key = self.unit.variable(first, at)
        return lambda run: run.variables.get(key, "")

    def _captured(self, digits: str, at: int) -> Read | str:
        """Make what reads a match variable (RFC 5229 §3.2)."""
        number = int(digits) if len(digits.lstrip("0")) < len(str(CAPTURES_MAX)) + 1 else CAPTURES_MAX + 1
        if number > CAPTURES_MAX:
            self.unit.report.add(at, f"match variables go up to ${{{CAPTURES_MAX}}}")
            return ""
        return lambda run: run.captures[number] if number < len(run.captures) else ""


@dataclass(frozen=True, slots=True)
class Language:
    """What a kind of script may say.

    stages   the names of its stages; with none, the script is one plain block
    """

    specs: tuple[Spec, ...]
    environment: tuple[Environment, ...] = ()
    extra_capabilities: tuple[str, ...] = ()  # those that add no command, test or tag
    stages: tuple[str, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    computed: tuple[Computed, ...] = ()
    by_name: Mapping[tuple[bool, str], Spec] = field(init=False)
    capabilities: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        by_name = {(spec.kind in _TESTS, spec.name): spec for spec in self.specs}
        if len(by_name) != len(self.specs):
            raise ValueError("two specs of one name")
        of_tags = {tag.capability for spec in self.specs for tag in spec.tags if tag.capability}
        of_specs = {name for spec in self.specs for name in spec.capabilities}
        object.__setattr__(self, "by_name", by_name)
        object.__setattr__(self, "capabilities", frozenset(of_tags | of_specs | set(self.extra_capabilities)))


def compile_block(block: tuple[Bound, ...]) -> Code:
    """Make one closure of commands that stand one after the other."""
    return sequence([command.compile() for command in block], sum([command.nodes for command in block]))
