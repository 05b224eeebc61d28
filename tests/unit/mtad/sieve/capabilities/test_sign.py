from __future__ import annotations

import pytest

from mtad.sieve.actions import Action, Log, Sign
from mtad.sieve.capabilities.sign import FIELDS_MAX, NAME_LENGTH_MAX
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.run import ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

REQUIRE = 'require ["envelope", "variables", "vnd.mtad.stage", "vnd.mtad.sign"];\n'
FACTS = StillFacts(envelope={"from": ("ann@d.example",), "to": ()})
LONG = "x" * (NAME_LENGTH_MAX + 1)


@pytest.mark.parametrize("stage", ["data", "deliver"])
@pytest.mark.parametrize(
    ("command", "action"),
    [
        (
            'sign :domain "a.example" :headers ["Subject", "to", "SUBJECT"];',
            Sign("a.example", "", ("subject", "to")),
        ),
        ('set "s" "s2"; sign :domain "${s}" :headers "to";', Sign("s2", "", ("to",))),
        ('sign :domain "a.example";', Sign("a.example", "")),
        ('sign :domain "a.example" :selector "s1";', Sign("a.example", "s1")),
        ('set "s" "s2"; sign :domain "${envelope.from.domain}" :selector "${s}";', Sign("d.example", "s2")),
    ],
)
def test_a_key_is_named(stage: str, command: str, action: Action) -> None:
    assert run_plain(f'{REQUIRE}stage "{stage}" {{ {command} }}', FACTS, language=POLICY, stage=stage) == [action]


@pytest.mark.parametrize(
    ("stage", "command", "error"),
    [
        ("data", "sign;", "sign needs :domain"),
        ("data", 'foreachrcpt { sign :domain "a"; }', "sign cannot stand in foreachrcpt"),
        ("data", 'sign :domain "a" :headers ["to", "a b"];', '"a b" is no name of a header field'),
        ("data", 'sign :domain "a" :headers "x:";', '"x:" is no name of a header field'),
        ("data", f'sign :domain "a" :headers "{LONG}";', f'"{LONG}" is no name of a header field'),
        (
            "data",
            'sign :domain "a" :headers [' + ",".join(f'"x{n}"' for n in range(FIELDS_MAX + 1)) + "];",
            f"sign may have {FIELDS_MAX} :headers",
        ),
        ("rcpt", 'sign :domain "a";', 'sign is not legal in stage "rcpt"'),
        ("data", "seal;", "seal needs :domain"),
        ("data", 'foreachrcpt { seal :domain "a"; }', "seal cannot stand in foreachrcpt"),
        ("data", 'seal :domain "a" :onerror "false";', ":onerror is one of tempfail, continue"),
        ("data", 'seal :domain "a" :selector "${nowhere.s}";', 'unknown namespace "nowhere"'),
        ("mail", 'seal :domain "a";', 'seal is not legal in stage "mail"'),
    ],
)
def test_mistakes(stage: str, command: str, error: str) -> None:
    found = compile_script(f'{REQUIRE}stage "{stage}" {{ {command} }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [one.text for one in found.errors] == [error]


@pytest.mark.parametrize("stage", ["data", "deliver"])
def test_a_seal_is_not_available(stage: str) -> None:
    text = f'{REQUIRE}stage "{stage}" {{ seal :domain "a.example"; }}'
    with pytest.raises(ScriptFailed, match="seal: ARC is not available"):
        run_plain(text, FACTS, language=POLICY, stage=stage)
    found = compile_script(text, "t", POLICY)
    assert isinstance(found, Script)
    assert found.lacks == {"seal"}


def test_a_policy_goes_on_without_a_seal() -> None:
    commands = 'seal :onerror "continue" :domain "a.example" :selector "s1"; sign :domain "a.example";'
    assert run_plain(f'{REQUIRE}stage "data" {{ {commands} }}', FACTS, language=POLICY, stage="data") == [
        Log("seal: ARC is not available", "warning"),
        Sign("a.example", ""),
    ]
