from __future__ import annotations

import pytest

from mtad.sieve.actions import FileInto
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain


def test_a_mailbox_is_named_and_the_script_goes_on() -> None:
    text = 'require ["fileinto", "copy"]; fileinto "a/b"; fileinto :copy "c";'
    assert run_plain(text, StillFacts()) == [FileInto("a/b"), FileInto("c", is_copy=True)]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('fileinto "a";', '1:1: fileinto needs require "fileinto"'),
        ('require "fileinto"; fileinto :copy "a";', '1:30: :copy needs require "copy"'),
        ('require "fileinto"; fileinto "";', "1:30: fileinto needs the name of a mailbox"),
    ],
)
def test_what_it_needs(text: str, error: str) -> None:
    found = compile_script(text, "t", PLAIN)
    assert isinstance(found, SieveErrors)
    assert str(found) == f"t:{error}"


def test_a_policy_has_no_mailboxes() -> None:
    found = compile_script('require "fileinto";', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == 't:1:9: unknown capability "fileinto"'
