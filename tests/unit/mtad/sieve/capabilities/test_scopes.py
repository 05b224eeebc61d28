from __future__ import annotations

import pytest

from mtad.sieve.actions import Log
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.log"];\n'


@pytest.mark.parametrize(
    ("stage", "scope"), [("connect", "session"), ("mail", "txn"), ("data", "txn"), ("rcpt", "rcpt")]
)
def test_a_scope_holds_its_own_names(stage: str, scope: str) -> None:
    block = f'set "{scope}.A" "1"; set "a" "2"; log "${{{scope}.a}}${{a}}${{{scope}.none}}";'
    text = f'{REQUIRE}stage "{stage}" {{ {block} }}'
    assert run_plain(text, StillFacts(), language=POLICY, stage=stage) == [Log("12")]


@pytest.mark.parametrize(
    ("stage", "block", "error"),
    [
        ("connect", 'log "${txn.a}";', '"txn.a": it is not known in stage "connect"'),
        ("connect", 'set "txn.a" "";', '"txn.a": it cannot be set in stage "connect"'),
        ("data", 'set "session.a" "";', '"session.a": it cannot be set in stage "data"'),
        ("deliver", 'log "${session.a}";', '"session.a": it is not known in stage "deliver"'),
        ("deliver", 'set "txn.a" "";', '"txn.a": it cannot be set in stage "deliver"'),
        ("rcpt", 'log "${txn.a.b}";', '"txn.a.b": its name has a part too many'),
        ("rcpt", 'set "session.a.b" "";', '"session.a.b": its name has a part too many'),
        ("rcpt", 'log "${message.a}";', 'unknown namespace "message"'),
    ],
)
def test_mistakes(stage: str, block: str, error: str) -> None:
    found = compile_script(f'{REQUIRE}stage "{stage}" {{ {block} }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [one.text for one in found.errors] == [error]
