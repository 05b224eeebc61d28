"""The match type :list, on maps that answer at once and on those that are waited for; maps in the script itself."""

from __future__ import annotations

import pytest

from mtad.maps.answer import Found, Map
from mtad.sieve.actions import Log
from mtad.sieve.code import Plain, answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.outside import Outside
from mtad.sieve.run import LimitExceeded, Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.maps import DOWN, FakeAskedMap, FakeMap
from tests.fakes.sieve_facts import StillFacts

REQUIRE = 'require ["variables", "envelope", "extlists", "vnd.mtad.stage", "vnd.mtad.lookup", "vnd.mtad.log"];\n'
FACTS = StillFacts(
    b"From: Ann <ann@l.example>\r\nTo: Bob <bob@l.example>, carol@d.example\r\nSubject: hello\r\n\r\n",
    envelope={"from": ("bounce@d.example",), "to": ("bob@l.example",)},
)
KNOWN = {"bob@l.example": "yes", "d.example": "", "hello": "", "broken": DOWN}


def compiled(text: str, maps: dict[str, Map], stage: str = "data") -> Script | SieveErrors:
    return compile_script(f'{REQUIRE} stage "{stage}" {{ {text} }}', "t", POLICY, Outside(maps))


async def said(text: str, maps: dict[str, Map]) -> list[str]:
    script = compiled(text, maps)
    assert isinstance(script, Script), str(script)
    run = Run(FACTS, Limits())
    await answer(script.stages["data"], run)
    return [action.text for action in run.actions if isinstance(action, Log)]


@pytest.mark.parametrize("others", [{}, {"w": FakeAskedMap()}])
async def test_a_run_pays_for_what_a_look_costs(others: dict[str, Map]) -> None:
    dear = FakeMap(cost=1000)
    script = compiled('if address :list "to" ["map:m", "map:w"] { }', {"w": FakeMap(), **others, "m": dear})
    assert isinstance(script, Script), str(script)
    await answer(script.stages["data"], Run(FACTS, Limits(nodes_max=2500)))
    with pytest.raises(LimitExceeded):
        await answer(script.stages["data"], Run(FACTS, Limits(nodes_max=1500)))
    assert len(dear.keys) == 3


@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('address :list "to" "map:m"', True),
        ('address :list "from" "map:m"', False),
        ('address :list :domain ["from", "to"] "map:m"', True),
        ('header :list "subject" "map:m"', True),
        ('header :list "subject" ["map:e", "map:m"]', True),
        ('header :list "subject" "map:e"', False),
        ('not header :list "subject" "map:e"', True),
        ('header :list "x" "map:m"', False),
        ('envelope :list "to" "map:m"', True),
        ('envelope :list :domain "from" "map:m"', True),
        ('string :list ["x", "hello"] "map:m"', True),
        ('string :list "hell" "map:m"', False),
        ('valid_ext_list ["map:m", "map:e"]', True),
        ('valid_ext_list ["map:m", "map:x"]', False),
        ('valid_ext_list "m"', False),
    ],
)
async def test_list(test: str, expected: bool, kind: type[FakeMap] | type[FakeAskedMap]) -> None:
    maps: dict[str, Map] = {"m": kind(KNOWN), "e": FakeMap()}
    assert await said(f'if {test} {{ log "yes"; }}', maps) == (["yes"] if expected else [])


@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
async def test_the_value_that_was_found_is_remembered(kind: type[FakeMap] | type[FakeAskedMap]) -> None:
    script = (
        'if address :list :all "to" "map:m" { log "${0}"; } if header :list "subject" "map:e" { stop; } log "${0}";'
    )
    assert await said(script, {"m": kind(KNOWN), "e": kind()}) == ["bob@l.example", "bob@l.example"]


@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
async def test_a_map_that_fails_ends_the_stage(kind: type[FakeMap] | type[FakeAskedMap]) -> None:
    with pytest.raises(ScriptFailed, match=r"^map:m: connection refused$"):
        await said(
            'if not string :list ["a", "broken"] ["map:e", "map:m"] { log "no"; }', {"m": kind(KNOWN), "e": kind()}
        )


def test_maps_in_memory_keep_their_stage_plain() -> None:
    for found, is_plain in ((FakeMap(), True), (FakeAskedMap(), False)):
        script = compiled('if string :list "a" ["map:e", "map:m"] { stop; }', {"e": FakeMap(), "m": found})
        assert isinstance(script, Script)
        assert isinstance(script.stages["data"], Plain) is is_plain


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ('string :list "a" "map:x"', 'there is no map "x" in policy.maps of mtad.toml'),
        ('string :list "a" "tag:x"', '"tag:x" is no map: "map:NAME"'),
        ('string :list "a" "map:${x}"', "the name of a list holds no variables"),
        ('lookup :list "map:m" "a" "b"', "lookup cannot be used with :list"),
    ],
)
def test_what_is_wrong_is_told(test: str, text: str) -> None:
    script = compiled(f"if {test} {{ stop; }}", {"m": FakeMap()})
    assert isinstance(script, SieveErrors)
    assert [error.text for error in script.errors] == [text]


async def in_script(definitions: str, test: str) -> bool:
    text = f'{REQUIRE} {definitions} stage "data" {{ if {test} {{ log "yes"; }} }}'
    script = compile_script(text, "t", POLICY)
    assert isinstance(script, Script), str(script)
    run = Run(FACTS, Limits())
    await answer(script.stages["data"], run)
    return bool(run.actions)


@pytest.mark.parametrize(
    ("definition", "test", "expected"),
    [
        ('map "m" ["A  One two", "b"];', 'lookup "map:m" "a" "one two"', True),
        ('map "m" ["A  One two", "b"];', 'lookup "map:m" "b"', True),
        ('map "m" "a";', 'string :list "b" "map:m"', False),
        ('map :cidr "m" ["192.0.2.1 x", "192.0.2.0/24 y"];', 'lookup "map:m" "192.0.2.9" "y"', True),
        ('map :regexp "m" "/^(.)b$/ $1";', 'lookup "map:m" "ab" "a"', True),
    ],
)
async def test_a_map_in_the_script(definition: str, test: str, expected: bool) -> None:
    assert await in_script(definition, test) is expected


def test_a_map_in_the_script_may_stand_behind_its_stage() -> None:
    text = f'{REQUIRE} stage "data" {{ if lookup "map:m" "a" {{ stop; }} }} map "m" "a";'
    assert isinstance(compile_script(text, "t", POLICY), Script)


@pytest.mark.parametrize(
    ("definition", "column", "text"),
    [
        ('map "m" "a"; map "m" "b";', 18, 'there is a map "m" already'),
        ('map "o" "a";', 5, 'there is a map "o" already'),
        ('map "m" ["a", "b", "A 2"];', 20, '"a" stands here a second time'),
        ('map "m" ["a", " "];', 15, "a line of a map begins with its key"),
        ('map :cidr "m" ["192.0.2.1/24 x"];', 16, '"192.0.2.1/24" is no network, or has bits set behind its prefix'),
        ('map :regexp "m" "x";', 17, "is not /expression/flags value"),
        ('stage "mail" { map "m" "a"; }', 16, "map must stand at the top level"),
    ],
)
def test_what_is_wrong_with_a_definition(definition: str, column: int, text: str) -> None:
    script = compile_script(REQUIRE + definition, "t", POLICY, Outside({"o": FakeMap({"a": Found("")})}))
    assert isinstance(script, SieveErrors)
    assert [(error.line, error.column, error.text) for error in script.errors] == [(2, column, text)]
