from __future__ import annotations

import pytest

from mtad.sieve.actions import SetRecipient, SetSender
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.run import ScriptFailed
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.envelope"];\n'


@pytest.mark.parametrize(
    ("given", "path"), [("a@x.test", "a@x.test"), ("<a@x.test>", "a@x.test"), ("", ""), ("<>", "")]
)
def test_a_sender_is_an_address_or_nobody(given: str, path: str) -> None:
    constant = f'{REQUIRE}stage "mail" {{ setsender "{given}"; }}'
    variable = f'{REQUIRE}stage "mail" {{ set "a" "{given}"; setsender "${{a}}"; }}'
    for text in (constant, variable):
        assert run_plain(text, StillFacts(), language=POLICY, stage="mail") == [SetSender(path)]


@pytest.mark.parametrize("given", ["a", "a b@x.test", "a@b\u00fccher.test", "<a@x.test", "a@x.test, b@x.test"])
def test_what_is_no_address_is_an_error(given: str) -> None:
    found = compile_script(f'{REQUIRE}stage "mail" {{ setsender "{given}"; }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == [f'"{given}" is no address in ASCII']
    text = f'{REQUIRE}stage "mail" {{ set "a" "{given}"; setsender "${{a}}"; }}'
    with pytest.raises(ScriptFailed, match="is no address in ASCII"):
        run_plain(text, StillFacts(), language=POLICY, stage="mail")


def test_it_is_changed_before_next_hops_hear_of_it() -> None:
    found = compile_script(f'{REQUIRE}stage "rcpt" {{ setsender ""; }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == ['setsender is not legal in stage "rcpt"']


@pytest.mark.parametrize(("given", "path"), [("b@x.test", "b@x.test"), ("<b@x.test>", "b@x.test")])
def test_a_recipient_is_an_address(given: str, path: str) -> None:
    for command in (f'setrcpt "{given}";', f'set "a" "{given}"; setrcpt "${{a}}";'):
        found = run_plain(f'{REQUIRE}stage "rcpt" {{ {command} }}', StillFacts(), language=POLICY, stage="rcpt")
        assert found == [SetRecipient(path)]


@pytest.mark.parametrize("given", ["", "<>", "b", "b@b\u00fccher.test"])
def test_nobody_is_no_recipient(given: str) -> None:
    found = compile_script(f'{REQUIRE}stage "rcpt" {{ setrcpt "{given}"; }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == [f'"{given}" is no address in ASCII']
    text = f'{REQUIRE}stage "rcpt" {{ set "a" "{given}"; setrcpt "${{a}}"; }}'
    with pytest.raises(ScriptFailed, match="is no address in ASCII"):
        run_plain(text, StillFacts(), language=POLICY, stage="rcpt")
