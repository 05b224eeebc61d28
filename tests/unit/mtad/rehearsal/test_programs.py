"""Programs as tests play them."""

from __future__ import annotations

import pytest

from mtad.mail.programs import Broken, Declined, Done, Result, Task
from mtad.rehearsal.overhearing import Overheard
from mtad.rehearsal.programs import PlayedPrograms, Unrun
from mtad.sieve.outside import Outside
from tests.fakes.programs import RememberedPrograms


@pytest.mark.parametrize(
    ("answer", "result"),
    [("0", Done()), ("0 a b", Done(b"a b")), ("0 ä", Done("ä".encode())), ("1", Declined(1)), ("255", Declined(255))],
)
async def test_one_ends_as_it_is_said(answer: str, result: Result) -> None:
    programs = PlayedPrograms()
    programs.put("p", answer)
    assert await programs.run(Task("p")) == result
    assert (await programs.run(Task("q"))) == Broken("no test says what q answers")


@pytest.mark.parametrize("answer", ["", "yes", "-1", "256", "1 text"])
def test_what_says_nothing(answer: str) -> None:
    with pytest.raises(ValueError, match="is neither"):
        PlayedPrograms().put("p", answer)


async def test_one_that_writes_too_much_breaks() -> None:
    programs = PlayedPrograms()
    programs.put("p", "0 abc")
    assert await programs.run(Task("p", output_octets_max=3)) == Done(b"abc")
    assert await programs.run(Task("p", output_octets_max=2)) == Broken("it wrote more than 2 octets")


async def test_what_is_not_run() -> None:
    real = RememberedPrograms(problem="no such program")
    assert Unrun(real).problem("p") == "no such program"
    assert await Unrun(real).run(Task("p")) == Broken("programs are run with --programs alone")
    assert real.tasks == []


@pytest.mark.parametrize(
    ("result", "told"), [(Done(b"x"), "status 0"), (Declined(7), "status 7"), (Broken("gone"), "broken: gone")]
)
async def test_what_is_run_is_overheard(result: Result, told: str) -> None:
    overheard = Overheard()
    programs = overheard.outside(Outside(programs=RememberedPrograms(result))).programs
    assert await programs.run(Task("p", ("a", "b"))) == result
    assert programs.problem("p") == ""
    (fact,) = overheard.taken()
    assert (fact.source, fact.question, fact.answer, fact.is_cached) == ("program", "p a b", told, False)
