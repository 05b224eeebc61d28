from __future__ import annotations

import pytest

from mtad.sieve.actions import Log
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

_REQUIRE = 'require ["vnd.mtad.stage", "vnd.mtad.log"]; '


@pytest.mark.parametrize("stage", ["connect", "ehlo", "auth", "mail", "rcpt", "data", "deliver", "queue"])
def test_every_stage_may_log_and_goes_on(stage: str) -> None:
    text = f'{_REQUIRE} stage "{stage}" {{ log "a"; log :level "warning" "b"; }}'
    assert run_plain(text, StillFacts(), language=POLICY, stage=stage) == [Log("a"), Log("b", "warning")]


def test_a_level_must_exist() -> None:
    found = compile_script(f'{_REQUIRE}stage "rcpt" {{ log :level "loud" "a"; }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == "t:1:71: a level is one of debug, info, warning, error"
