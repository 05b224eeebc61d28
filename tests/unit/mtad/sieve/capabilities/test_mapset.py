"""What policies note for each other in maps of their own."""

from __future__ import annotations

import pytest

from mtad.limits.ledger import Ledger, LocalLimits
from mtad.limits.questions import Limits, NobodyCounts
from mtad.sieve.actions import Log
from mtad.sieve.capabilities.mapset import EXPIRE_SECONDS_DEFAULT, EXPIRE_SECONDS_MAX, VALUE_OCTETS_MAX
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.outside import Outside
from mtad.sieve.run import LimitExceeded, Run, ScriptFailed
from mtad.sieve.run import Limits as RunLimits
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

NOW_MS = 1_700_000_000_000
REQUIRE = (
    'require ["variables", "extlists", "vnd.mtad.stage", "vnd.mtad.lookup", "vnd.mtad.log", "vnd.mtad.queue"];\n'
    'map :kept "m"; map "lines" "a b";\n'
)


class Clock:
    """The counters of a node, in a time that a test sets."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.limits = LocalLimits(Ledger(1), lambda: self.now_ms)


async def said(text: str, limits: Limits, *, require: str = REQUIRE) -> list[str]:
    script = compile_script(f'{require}stage "rcpt" {{ {text} }}', "t", POLICY, Outside(limits=limits))
    assert isinstance(script, Script), str(script)
    run = Run(StillFacts(), RunLimits())
    await answer(script.stages["rcpt"], run)
    return [action.text for action in run.actions if isinstance(action, Log)]


ASK = 'if lookup :into "found" "map:m" "KEY" { log "${found}"; }'


async def test_what_is_set_is_found_by_another_run() -> None:
    clock = Clock()
    assert await said(ASK, clock.limits) == []
    assert await said('mapset "map:m" "Key" "one";', clock.limits) == []
    assert await said(ASK, clock.limits) == ["one"]
    assert await said('set "k" "key"; mapset "map:m" "${k}" "${k} two";' + ASK, clock.limits) == ["key two"]
    assert await said('if string :list "key" "map:m" { log "listed"; }', clock.limits) == ["listed"]


async def test_it_is_of_its_map_and_its_key() -> None:
    clock = Clock()
    await said('mapset "map:m" "other" "one";', clock.limits)
    await said('mapset "map:n" "key" "one";', clock.limits, require=REQUIRE.replace('"m"', '"n"'))
    assert await said(ASK, clock.limits) == []


@pytest.mark.parametrize(("tag", "seconds"), [("", EXPIRE_SECONDS_DEFAULT), (":expire 60", 60)])
async def test_it_is_forgotten(tag: str, seconds: int) -> None:
    clock = Clock()
    await said(f'mapset {tag} "map:m" "key" "one";', clock.limits)
    clock.now_ms += seconds * 1000 - 1
    assert await said(ASK, clock.limits) == ["one"]
    clock.now_ms += 1
    assert await said(ASK, clock.limits) == []


async def test_a_value_has_a_length() -> None:
    clock = Clock()
    await said(f'mapset "map:m" "key" "{"ä" * (VALUE_OCTETS_MAX // 2)}";', clock.limits)
    assert await said(ASK, clock.limits) == ["ä" * (VALUE_OCTETS_MAX // 2)]
    with pytest.raises(ScriptFailed, match=f"map:m: a value has {VALUE_OCTETS_MAX} octets at most"):
        await said(f'mapset "map:m" "key" "x{"ä" * (VALUE_OCTETS_MAX // 2)}";', clock.limits)


async def test_a_value_that_is_too_long_for_a_stage_that_goes_on_changes_nothing() -> None:
    clock = Clock()
    await said('mapset "map:m" "key" "one";', clock.limits)
    long = f'mapset :onerror "continue" "map:m" "key" "{"x" * (VALUE_OCTETS_MAX + 1)}";'
    assert await said(long + ASK, clock.limits) == [f"map:m: a value has {VALUE_OCTETS_MAX} octets at most", "one"]


async def test_a_run_pays_for_what_it_sets() -> None:
    script = compile_script(f'{REQUIRE}stage "rcpt" {{ mapset "map:m" "a" "b"; }}', "t", POLICY)
    assert isinstance(script, Script)
    with pytest.raises(LimitExceeded):
        await answer(script.stages["rcpt"], Run(StillFacts(), RunLimits(nodes_max=99)))


async def test_where_nobody_holds_it() -> None:
    with pytest.raises(ScriptFailed, match="map:m: nobody counts here"):
        await said('mapset "map:m" "key" "one";', NobodyCounts())
    told = await said('mapset :onerror "continue" "map:m" "key" "one"; log "behind";', NobodyCounts())
    assert told == ["map:m: nobody counts here", "behind"]
    with pytest.raises(ScriptFailed, match="map:m: nobody counts here"):
        await said(ASK, NobodyCounts())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('stage "rcpt" { mapset "map:lines" "a" "b"; }', '3:23: "map:lines" is not a map that `map :kept` has named'),
        ('stage "rcpt" { mapset "map:x" "a" "b"; }', '3:23: there is no map "x" in policy.maps of mtad.toml'),
        ('stage "rcpt" { mapset "m" "a" "b"; }', '3:23: "m" is no map: "map:NAME"'),
        (
            'stage "rcpt" { mapset :expire 0 "map:m" "a" "b"; }',
            f"3:31: :expire is 1 to {EXPIRE_SECONDS_MAX} seconds",
        ),
        (
            'stage "rcpt" { mapset :expire 1G "map:m" "a" "b"; }',
            f"3:31: :expire is 1 to {EXPIRE_SECONDS_MAX} seconds",
        ),
        (
            'stage "data" { monitor "x" { mapset "map:m" "a" "b"; } }',
            "3:30: mapset cannot stand in monitor, for it is done at once",
        ),
        ('stage "deliver" { mapset "map:m" "a" "b"; }', '3:19: mapset is not legal in stage "deliver"'),
        (
            'stage "queue" { if lookup "map:m" "a" { } }',
            '3:27: what "map:m" holds is not known in stage "queue"',
        ),
        ('map "o";', "3:1: a map has its lines, or is :kept and has none"),
        ('map :kept "o" "a b";', "3:1: a map has its lines, or is :kept and has none"),
        ('map :kept "m";', '3:11: there is a map "m" already'),
    ],
)
def test_mistakes(text: str, error: str) -> None:
    assert first_error(f"{REQUIRE}{text}", POLICY) == error
