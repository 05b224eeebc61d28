from __future__ import annotations

import pytest

from mtad.sieve.capabilities.duplicate import SECONDS_DEFAULT, SECONDS_MAX
from mtad.sieve.code import Waiting
from mtad.sieve.dialects import PLAIN
from mtad.sieve.doors import Doors, Sighting
from mtad.sieve.language import OUTSIDE
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

FACTS = StillFacts(b"Message-ID: <1@x>\r\nX-Event: e1\r\nX-Empty:\r\n\r\n")


async def asked(test: str, answer: bool = False, *, is_there: bool = True) -> tuple[bool, list[Sighting]]:
    """Return what the test came to, and what was asked."""
    sightings: list[Sighting] = []

    async def seen(sighting: Sighting) -> bool:
        sightings.append(sighting)
        return answer

    script = compile_script(f'require ["duplicate", "variables"]; if {test} {{ keep; }}', "t", PLAIN)
    assert isinstance(script, Script), str(script)
    code = script.stages[OUTSIDE]
    assert isinstance(code, Waiting)
    run = Run(FACTS, Limits(), Doors(seen=seen) if is_there else Doors())
    await code.call(run)
    return bool(run.actions), sightings


@pytest.mark.parametrize(
    ("test", "sighting"),
    [
        ("duplicate", Sighting("", "<1@x>", SECONDS_DEFAULT, False)),
        ('duplicate :header "X-Event"', Sighting("", "e1", SECONDS_DEFAULT, False)),
        ('duplicate :uniqueid "u${none}1" :handle "h" :seconds 60 :last', Sighting("h", "u1", 60, True)),
        ("duplicate :seconds 999999999", Sighting("", "<1@x>", SECONDS_MAX, False)),
    ],
)
async def test_what_is_asked(test: str, sighting: Sighting) -> None:
    assert await asked(test) == (False, [sighting])
    assert await asked(test, answer=True) == (True, [sighting])


@pytest.mark.parametrize(
    "test", ['duplicate :header "X-None"', 'duplicate :header "X-Empty"', 'duplicate :uniqueid ""']
)
async def test_what_has_nothing_to_be_known_by_was_never_seen(test: str) -> None:
    assert await asked(test, answer=True) == (False, [])


async def test_where_nobody_remembers_the_run_fails() -> None:
    with pytest.raises(ScriptFailed, match="seen before"):
        await asked("duplicate", is_there=False)


@pytest.mark.parametrize(
    ("test", "error"),
    [
        ('duplicate :header "a b"', '"a b" is no name of a field'),
        ('duplicate :header "a" :uniqueid "b"', ":uniqueid stands beside :header: only one of them is possible"),
    ],
)
def test_mistakes(test: str, error: str) -> None:
    assert first_error(f'require "duplicate"; if {test} {{ }}').endswith(error)
