"""A failing history is made smaller, still fails in the same way, and is told with its script."""

from __future__ import annotations

import pytest

from tests.simulation import campaign, mutants
from tests.simulation.__main__ import main
from tests.simulation.campaign import TROUBLE
from tests.simulation.clock import MS
from tests.simulation.minimise import minimise
from tests.simulation.script import Script, draw, show


def test_only_what_the_failure_needs_is_left() -> None:
    script = draw(5, TROUBLE)
    deed, posting = script.deeds[0], script.postings[3]

    def failure_of(tried: Script) -> str:
        is_there = deed in tried.deeds and posting.name in {act.name for act in tried.postings}
        return "S2" if is_there else "S4" if deed in tried.deeds else ""

    found = minimise(script, failure_of).script
    assert script.size > 8
    assert (found.deeds, found.backups) == ((deed,), ())
    assert found.postings == (posting._replace(parts=1),)
    assert found.trouble == max(deed.when, posting.when) + 100 * MS
    assert not found.are_hops_fickle


def test_the_search_ends_when_it_has_played_enough() -> None:
    script = draw(5, TROUBLE)
    found = minimise(script, lambda tried: "S2", plays_max=3)
    assert found.plays == 3


def test_a_history_that_does_not_fail_is_refused() -> None:
    with pytest.raises(ValueError, match="seed 5 does not fail"):
        minimise(draw(5, TROUBLE), lambda tried: "")


def test_a_planted_bug_is_shown_by_few_acts() -> None:
    with mutants.planted("not-looked-again"):
        failing = campaign.run(range(1, 400), mutants.plan_of("not-looked-again")).failures[0]
        script = draw(failing.seed, mutants.plan_of("not-looked-again") or TROUBLE)
        found = minimise(script, campaign.failure_of)
        assert campaign.failure_of(found.script) == failing.name == "S16"
    assert found.script.size <= 10 < script.size
    assert campaign.failure_of(found.script) == ""


def test_a_seed_that_fails_is_told_as_its_smallest_history(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["tests.simulation", "--seed", "1", "--mutant", "never-finished"])
    assert main() == 1
    told = capsys.readouterr().out
    assert "acts came down to 1," in told
    assert "process starts" in told
    assert "seed 1: L1: still there after all" in told


def test_a_script_is_shown_in_the_order_of_time() -> None:
    lines = show(draw(1, TROUBLE)).splitlines()
    times = [float(line.split()[0]) for line in lines[1:]]
    assert len(times) > 8
    assert times == sorted(times)
