"""What `metric` tells at every stage, and how much there may be. Mistakes: tests/sieve/policy/metric.svtest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtad.sieve.actions import Log, Measure, Monitored
from mtad.sieve.capabilities.metric import METRICS_MAX
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.lexer import NUMBER_MAX
from mtad.sieve.outside import NOTHING
from mtad.sieve.script import Script, compile_script
from mtad.telemetry.metrics import Kind, Metric
from tests.fakes.sieve_facts import StillFacts, run_plain

_REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.log"]; '
SEEN = Metric("seen_total", Kind.COUNTER, ("a", "b"))


@pytest.mark.parametrize("stage", ["connect", "ehlo", "auth", "mail", "rcpt", "data", "deliver", "queue"])
def test_every_stage_may_measure_and_goes_on(stage: str) -> None:
    block = f'set "x" "y"; metric :labels ["b", "${{x}}z", "a", ""] "seen_total"; metric :set {NUMBER_MAX} "level";'
    text = f'{_REQUIRE} stage "{stage}" {{ {block} log "on"; }}'
    assert run_plain(text, StillFacts(), language=POLICY, stage=stage) == [
        Measure(SEEN, ("", "yz"), 1),
        Measure(Metric("level", Kind.GAUGE), (), NUMBER_MAX),
        Log("on"),
    ]


def test_what_is_on_trial_is_measured() -> None:
    text = f'{_REQUIRE} stage "data" {{ monitor "m" {{ metric "n"; }} }}'
    (action,) = run_plain(text, StillFacts(), language=POLICY, stage="data")
    assert not isinstance(action, Monitored)


@pytest.mark.parametrize("count", [METRICS_MAX, METRICS_MAX + 1])
def test_a_policy_measures_only_so_much(count: int) -> None:
    block = " ".join(f'metric "m{number}";' for number in range(count))
    found = compile_script(f'{_REQUIRE}stage "rcpt" {{ {block} metric "m0"; }}', "t", POLICY)
    if count <= METRICS_MAX:
        assert isinstance(found, Script)
    else:
        assert isinstance(found, SieveErrors)
        assert str(found).splitlines()[0].endswith(f"a policy may have {METRICS_MAX} metrics")


def test_what_includes_and_what_is_included_mean_the_same_by_a_name() -> None:
    inner = 'require "vnd.mtad.log"; metric :set 1 "n";'
    outer = 'require ["include", "vnd.mtad.stage", "vnd.mtad.log"]; stage "ehlo" { include "x"; metric "n"; }'
    found = compile_script(outer, "t", POLICY, replace(NOTHING, scripts=lambda location, name: inner))
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == ['elsewhere the metric "n" is a gauge without labels']
