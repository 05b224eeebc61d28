"""What a policy asks DNS: values compared, unknown told from absent, errors at load."""

from __future__ import annotations

import pytest

from mtad.rehearsal.lookups import PlayedNames
from mtad.sieve.actions import Log
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.outside import NOTHING, Outside
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from mtad.telemetry.events import Level
from tests.fakes.sieve_facts import StillFacts

REQUIRE = (
    'require ["variables", "relational", "comparator-i;ascii-numeric",'
    ' "vnd.mtad.stage", "vnd.mtad.dns", "vnd.mtad.log"];\n'
)
NAMES = PlayedNames(
    {
        ("9.2.0.192.zen.test", "a"): ("127.0.0.2", "127.0.0.11"),
        ("9.2.0.192.zen.test", "txt"): ("Listed by zen",),
        ("9.2.0.192.down.test", "a"): None,
        ("bad.example.dbl.test", "a"): ("127.0.1.2",),
        ("9.2.0.192.in-addr.arpa", "ptr"): ("host.d.example",),
        ("host.d.example", "a"): ("192.0.2.9",),
        ("d.example", "mx"): ("10 mx1.d.example", "20 mx2.d.example"),
        ("d.example", "ns"): ("NS.d.example.",),
        ("d.example", "txt"): ("v=spf1 -all",),
        ("down.example", "mx"): None,
        ("", "mx"): ("10 root.example",),  # of the root, which nobody asks for
    }
)
FACTS = StillFacts(environment={"remote-ip": "192.0.2.9"})


async def said(text: str, names: PlayedNames = NAMES, facts: StillFacts = FACTS, level: Level = "info") -> list[str]:
    script = compile_script(REQUIRE + f'stage "connect" {{ {text} }}', "t", POLICY, Outside(names=names, lists=names))
    assert isinstance(script, Script), str(script)
    run = Run(facts, Limits())
    await answer(script.stages["connect"], run)
    return [action.text for action in run.actions if isinstance(action, Log) and action.level == level]


CASES = [
    ('dnsbl "zen.test" "127.0.0.2"', True),
    ('dnsbl :matches "zen.test" "127.0.0.*"', True),
    ('dnsbl "zen.test" "127.0.0.3"', False),
    ('dnsbl :count "ge" :comparator "i;ascii-numeric" "zen.test" "2"', True),
    ('dnsbl :matches "none.test" "*"', False),
    ('dnsbl :matches ["none.test", "zen.test"] "*"', True),
    ('dnsbl :matches "down.test" "*"', False),
    ('dnsbl :onerror "true" :matches "down.test" "*"', True),
    ('dnsbl :onerror "true" :matches "none.test" "*"', False),
    ('dnsbl :onerror "tempfail" :matches ["down.test", "zen.test"] "*"', True),
    ('dnsbl :name "bad.example" :matches "dbl.test" "*"', True),
    ('dnsbl :name "good.example" :matches "dbl.test" "*"', False),
    ('dnsbl :name "" :matches "dbl.test" "*"', False),
    ('dns "MX" "d.example" "mx2.d.example"', True),
    ('dns "mx" "d.example" "mx3.d.example"', False),
    ('dns :count "eq" "mx" "d.example" "2"', True),
    ('dns :count "eq" "mx" "none.example" "0"', True),
    ('dns :matches "mx" "" "*"', False),
    ('dns "ns" "d.example" "ns.d.example"', True),
    ('dns :contains "txt" "d.example" "spf1"', True),
    ('dns "ptr" "192.0.2.9" "host.d.example"', True),
    ('dns :matches "ptr" "192.0.2.8" "*"', False),
    ('dns :onerror "true" :matches "mx" "down.example" "*"', True),
    ('dns :onerror "false" :matches "mx" "down.example" "*"', False),
    ('iprev "pass"', True),
    ('iprev ["fail", "permerror"]', False),
]


@pytest.mark.parametrize(("test", "expected"), CASES)
async def test_dns(test: str, expected: bool) -> None:
    assert await said(f'if {test} {{ log "yes"; }}') == (["yes"] if expected else [])


async def test_what_a_list_says_goes_into_a_variable() -> None:
    script = 'set "why" "-"; if dnsbl :txt "why" :matches {} "*" {{ }} log "${{why}}";'
    assert await said(script.format('["none.test", "zen.test"]')) == ["Listed by zen"]
    assert await said(script.format('"none.test"')) == ["-"]


async def test_a_list_that_does_not_answer_is_told_of() -> None:
    text = 'if dnsbl :matches ["down.test", "none.test"] "*" { }'
    assert await said(text, level="warning") == ["dnsbl: down.test: so says the test"]
    assert await said(text.replace("down", "zen"), level="warning") == []


async def test_who_has_no_address_is_on_no_list() -> None:
    assert await said('if dnsbl :matches "zen.test" "*" { log "yes"; }', facts=StillFacts()) == []


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ('dns :matches "mx" "down.example" "*"', "dns: mx of down.example: so says the test"),
        ('dnsbl :onerror "tempfail" :matches ["zen.test", "down.test"] "192*"', "dnsbl: down.test: so says the test"),
    ],
)
async def test_what_is_unknown_ends_the_stage(test: str, why: str) -> None:
    with pytest.raises(ScriptFailed) as failed:
        await said(f'if {test} {{ log "yes"; }}')
    assert str(failed.value) == why


async def test_without_a_resolver_nothing_is_known() -> None:
    script = compile_script(REQUIRE + 'stage "connect" { if dns "a" "x.test" "1" { stop; } }', "t", POLICY, NOTHING)
    assert isinstance(script, Script)
    with pytest.raises(ScriptFailed, match="there is no resolver"):
        await answer(script.stages["connect"], Run(FACTS, Limits()))


@pytest.mark.parametrize(
    ("test", "text"),
    [
        ('dnsbl ["zen.test", "zen"] "*"', '"zen" is no zone of a list'),
        ('dnsbl "a b.test" "*"', '"a b.test" is no zone of a list'),
        ("dnsbl [" + ", ".join(['"a.test"'] * 33) + '] "*"', "a test asks at most 32 lists"),
        ('dns "soa" "d.example" "*"', 'unknown type "soa": one of a, aaaa, mx, ns, ptr, txt'),
        ('dns :list "mx" "d.example" "map:x"', "dns cannot be used with :list"),
        ('dnsbl :onerror "no" "a.test" "*"', ":onerror is one of tempfail, true, false"),
    ],
)
def test_what_is_wrong_is_told(test: str, text: str) -> None:
    require = REQUIRE.replace('"relational"', '"extlists", "relational"')
    script = compile_script(require + f'stage "connect" {{ if {test} {{ stop; }} }}', "t", POLICY)
    assert isinstance(script, SieveErrors)
    assert [error.text for error in script.errors] == [text]
