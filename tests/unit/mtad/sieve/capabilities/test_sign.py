from __future__ import annotations

import pytest

from mtad.sieve.actions import Action, Sign
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

REQUIRE = 'require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.sign"];\n'
FACTS = StillFacts(envelope={"from": ("ann@d.example",), "to": ()})


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ('sign :domain "a.example";', Sign("a.example", "")),
        ('sign :domain "a.example" :selector "s1";', Sign("a.example", "s1")),
        ('set "s" "s2"; sign :domain "${envelope.from.domain}" :selector "${s}";', Sign("d.example", "s2")),
    ],
)
def test_a_key_is_named(command: str, action: Action) -> None:
    assert run_plain(f'{REQUIRE}stage "data" {{ {command} }}', FACTS, language=POLICY, stage="data") == [action]


@pytest.mark.parametrize(
    ("stage", "command", "error"),
    [
        ("data", "sign;", "sign needs :domain"),
        ("data", 'foreachrcpt { sign :domain "a"; }', "sign cannot stand in foreachrcpt"),
        ("rcpt", 'sign :domain "a";', 'sign is not legal in stage "rcpt"'),
    ],
)
def test_mistakes(stage: str, command: str, error: str) -> None:
    found = compile_script(f'{REQUIRE}stage "{stage}" {{ {command} }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [one.text for one in found.errors] == [error]
