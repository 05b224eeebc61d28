from __future__ import annotations

import pytest

from mtad.rehearsal.lookups import PlayedNames
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, is_true

FACTS = StillFacts(environment={"remote-ip": "192.0.2.1", "name": "mtad"})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('environment "remote-ip" "192.0.2.1"', True),
        ('environment "Remote-IP" "192.0.2.1"', True),
        ('environment :matches "remote-ip" "192.0.2.*"', True),
        ('environment :contains "name" ["X", "TAD"]', True),
        ('environment "phase" ""', True),
        ('environment :matches "vnd.other.item" "*"', False),
    ],
)
def test_items(test: str, expected: bool) -> None:
    assert is_true(test, FACTS, '"environment"') is expected


@pytest.mark.parametrize(("item", "count"), [("name", "1"), ("phase", "0")])
def test_an_item_that_is_not_known_counts_as_none(item: str, count: str) -> None:
    assert is_true(f'environment :count "eq" "{item}" "{count}"', FACTS, '"environment", "relational"')


REMOTE_HOST = 'require ["environment", "relational", "vnd.mtad.stage", "vnd.mtad.log"];\n'
NAMES = PlayedNames(
    {
        ("9.2.0.192.in-addr.arpa", "ptr"): ("host.d.example",),
        ("host.d.example", "a"): ("192.0.2.9",),
        ("8.2.0.192.in-addr.arpa", "ptr"): ("forged.d.example",),
        ("7.2.0.192.in-addr.arpa", "ptr"): None,
    }
)


async def asked(test: str, address: str) -> bool:
    text = f'{REMOTE_HOST} stage "connect" {{ if environment {test} {{ log "true"; }} }}'
    script = compile_script(text, "t", POLICY, Outside(names=NAMES))
    assert isinstance(script, Script), str(script)
    run = Run(StillFacts(environment={"remote-ip": address}), Limits())
    await answer(script.stages["connect"], run)
    return bool(run.actions)


@pytest.mark.parametrize(
    ("test", "address", "expected"),
    [
        ('"remote-host" "host.d.example"', "192.0.2.9", True),
        (':matches "remote-host" "*.d.example"', "192.0.2.8", False),  # a name that leads elsewhere
        ('"remote-host" ""', "192.0.2.8", True),
        (':count "eq" "remote-host" "1"', "192.0.2.9", True),
        (':count "eq" "remote-host" "0"', "192.0.2.8", True),
    ],
)
async def test_the_name_of_a_client_is_asked_of_dns(test: str, address: str, expected: bool) -> None:
    assert await asked(test, address) is expected


async def test_a_name_that_cannot_be_known_is_not_none() -> None:
    with pytest.raises(ScriptFailed, match="cannot be known"):
        await asked('"remote-host" ""', "192.0.2.7")


def test_no_variable_holds_what_dns_must_be_asked_for() -> None:
    text = 'require ["environment", "variables", "vnd.mtad.stage", "vnd.mtad.log"];\n'
    text += 'stage "connect" { log "${env.remote_host}"; }'
    found = compile_script(text, "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert "it must be asked of DNS" in str(found)


def test_a_misspelt_item_of_ours_is_an_error() -> None:
    text = 'require ["environment", "vnd.mtad.stage"];\nstage "ehlo" { if environment "vnd.mtad.hello" "x" { stop; } }'
    found = compile_script(text, "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == 't:2:31: unknown item "vnd.mtad.hello"'
