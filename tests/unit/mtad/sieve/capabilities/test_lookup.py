"""The test lookup, on a map that answers at once and on one that is waited for: the same of both."""

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

REQUIRE = 'require ["variables", "relational", "vnd.mtad.stage", "vnd.mtad.lookup", "vnd.mtad.log"];\n'
VALUES = {"a": "One", "b": "", "list": "ann, bob  carol", "broken": DOWN}


def compiled(text: str, found: Map | None = None) -> Script | SieveErrors:
    return compile_script(REQUIRE + f'stage "connect" {{ {text} }}', "t", POLICY, Outside({"m": found or FakeMap()}))


async def said(text: str, found: Map) -> list[str]:
    script = compiled(text, found)
    assert isinstance(script, Script), str(script)
    run = Run(StillFacts(), Limits())
    await answer(script.stages["connect"], run)
    return [action.text for action in run.actions if isinstance(action, Log) and action.level == "info"]


@pytest.mark.parametrize(("stage", "test"), [("connect", 'lookup "map:m" "a"'), ("rcpt", "validrcpt")])
async def test_a_run_pays_for_what_a_look_costs(stage: str, test: str) -> None:
    dear = FakeMap(cost=1000)
    outside = Outside({"m": dear, "recipients": dear})
    script = compile_script(REQUIRE + f'stage "{stage}" {{ if {test} {{ }} }}', "t", POLICY, outside)
    assert isinstance(script, Script), str(script)
    facts = StillFacts(envelope={"to": ("a@l.example",)})
    await answer(script.stages[stage], Run(facts, Limits(nodes_max=2500)))
    with pytest.raises(LimitExceeded):
        await answer(script.stages[stage], Run(facts, Limits(nodes_max=900)))
    assert len(dear.keys) in (1, 2), "what is not paid for is not done"


CASES = [
    ('lookup "map:m" "a"', True),
    ('lookup "map:m" "b"', True),
    ('lookup "map:m" "c"', False),
    ('not lookup "map:m" "c"', True),
    ('lookup "map:m" "a" "one"', True),
    ('lookup "map:m" "a" ["two", "one"]', True),
    ('lookup "map:m" "a" "two"', False),
    ('lookup "map:m" "c" ""', False),
    ('lookup "map:m" "b" ""', True),
    ('lookup :comparator "i;octet" "map:m" "a" "one"', False),
    ('lookup :matches "map:m" "a" "o?e"', True),
    ('lookup :contains "map:m" "list" "bob"', True),
    ('lookup "map:m" "list" "bob"', False),
    ('lookup :each "map:m" "list" "bob"', True),
    ('lookup :each "map:m" "list" "bo"', False),
    ('lookup :each :count "eq" "map:m" "list" "3"', True),
    ('lookup :each :count "eq" "map:m" "b" "0"', True),
    ('lookup :onerror "true" "map:m" "broken"', True),
    ('lookup :onerror "false" "map:m" "broken"', False),
    ('anyof (lookup "map:m" "a", lookup "map:m" "broken")', True),
]


@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
@pytest.mark.parametrize(("test", "expected"), CASES)
async def test_lookup(test: str, expected: bool, kind: type[FakeMap] | type[FakeAskedMap]) -> None:
    assert await said(f'if {test} {{ log "yes"; }}', kind(VALUES)) == (["yes"] if expected else [])


@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
async def test_the_value_goes_into_a_variable(kind: type[FakeMap] | type[FakeAskedMap]) -> None:
    script = (
        'set "k" "A"; set "v" "before"; if lookup :into "v" "map:m" "c" { log "no"; } log "${v}";'
        'if not lookup :into "v" "map:m" "${k}" "Two" { log "${v}"; }'
        'if lookup :matches "map:m" "${k}" "O*" { log "${1}"; }'
    )
    found = kind({"A": Found("One")})
    assert await said(script, found) == ["before", "One", "ne"]
    assert found.keys == ["c", "A", "A"]


@pytest.mark.parametrize("test", ['lookup "map:m" "broken"', 'not lookup :onerror "tempfail" "map:m" "broken" "x"'])
@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
async def test_a_map_that_fails_ends_the_stage(test: str, kind: type[FakeMap] | type[FakeAskedMap]) -> None:
    with pytest.raises(ScriptFailed, match=r"^map:m: connection refused$"):
        await said(f'if {test} {{ log "yes"; }} else {{ log "no"; }}', kind(VALUES))


def test_a_map_in_memory_keeps_its_stage_plain() -> None:
    for found, is_plain in ((FakeMap(), True), (FakeAskedMap(), False)):
        script = compiled('if lookup "map:m" "a" { log "x"; }', found)
        assert isinstance(script, Script)
        assert isinstance(script.stages["connect"], Plain) is is_plain


@pytest.mark.parametrize(
    ("test", "column", "text"),
    [
        ('lookup "map:none" "a"', 29, 'there is no map "none" in policy.maps of mtad.toml'),
        ('lookup "m" "a"', 29, '"m" is no map: "map:NAME"'),
        ('lookup "map:${x}" "a"', 29, "argument 1 of lookup must be a constant string: it may hold no variables"),
        ('lookup "map:m"', 22, "argument 2 of lookup must be a string"),
        ('lookup "map:m" "a" "b" "c"', 45, "lookup has an argument too many here"),
        ('lookup :matches "map:m" "a"', 22, "lookup needs values for what its tags say of them"),
        ('lookup :each "map:m" "a"', 22, "lookup needs values for what its tags say of them"),
        ('lookup :onerror "maybe" "map:m" "a"', 38, ":onerror is one of tempfail, true, false"),
        ('lookup :into "1" "map:m" "a"', 35, '"1" is no name of a variable'),
    ],
)
def test_what_is_wrong_is_told(test: str, column: int, text: str) -> None:
    script = compiled(f'if {test} {{ log "x"; }}')
    assert isinstance(script, SieveErrors)
    assert [(error.line, error.column, error.text) for error in script.errors] == [(2, column, text)]


@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
@pytest.mark.parametrize(
    ("recipient", "keys", "expected"),
    [
        ("ann@l.example", ["ann@l.example"], True),
        ("ann+x@l.example", ["ann+x@l.example", "ann@l.example"], True),
        ("bob@l.example", ["bob@l.example", "@l.example"], False),
        ("bob+x@all.example", ["bob+x@all.example", "bob@all.example", "@all.example"], True),
        ('"ann"@l.example', ["ann@l.example"], True),
        ('"a b"@l.example', ['"a b"@l.example', "a b@l.example", "@l.example"], False),
        ("postmaster", ["postmaster"], True),
    ],
)
async def test_validrcpt(
    recipient: str, keys: list[str], expected: bool, kind: type[FakeMap] | type[FakeAskedMap]
) -> None:
    found = kind({"ann@l.example": "", "@all.example": "", "postmaster": ""})
    text = 'if validrcpt { log "yes"; }'
    script = compile_script(REQUIRE + f'stage "rcpt" {{ {text} }}', "t", POLICY, Outside({"recipients": found}))
    assert isinstance(script, Script), str(script)
    run = Run(StillFacts(envelope={"to": (recipient,)}), Limits())
    await answer(script.stages["rcpt"], run)
    assert (bool(run.actions), found.keys) == (expected, keys)


async def test_validrcpt_knows_the_separators_of_the_policy() -> None:
    found = FakeMap()
    text = REQUIRE + 'separators "-"; stage "rcpt" { if validrcpt { stop; } }'
    script = compile_script(text, "t", POLICY, Outside({"recipients": found}))
    assert isinstance(script, Script), str(script)
    await answer(script.stages["rcpt"], Run(StillFacts(envelope={"to": ("a+b-c@l.example",)}), Limits()))
    assert found.keys == ["a+b-c@l.example", "a+b@l.example", "@l.example"]


@pytest.mark.parametrize("kind", [FakeMap, FakeAskedMap])
async def test_validrcpt_of_a_map_that_fails(kind: type[FakeMap] | type[FakeAskedMap]) -> None:
    outside = Outside({"recipients": kind({"@l.example": DOWN})})
    for tag, expected in (("", None), (':onerror "true"', True), (':onerror "false"', False)):
        script = compile_script(
            REQUIRE + f'stage "rcpt" {{ if validrcpt {tag} {{ log "yes"; }} }}', "t", POLICY, outside
        )
        assert isinstance(script, Script), str(script)
        run = Run(StillFacts(envelope={"to": ("bob@l.example",)}), Limits())
        if expected is None:
            with pytest.raises(ScriptFailed, match=r"^map:recipients: connection refused$"):
                await answer(script.stages["rcpt"], run)
        else:
            await answer(script.stages["rcpt"], run)
            warning = Log("map:recipients: connection refused", "warning")
            assert run.actions == ([warning, Log("yes")] if expected else [warning])


def test_validrcpt_needs_its_map() -> None:
    script = compile_script(REQUIRE + 'stage "rcpt" { if validrcpt { stop; } }', "t", POLICY)
    assert isinstance(script, SieveErrors)
    assert [error.text for error in script.errors] == ['there is no map "recipients" in policy.maps of mtad.toml']
