"""Whose domain takes mail, whose does not, and of whose it cannot be known."""

from __future__ import annotations

import pytest

from mtad.dns.resolver import Absence, Absent, Answer, Found, Unknown
from mtad.sieve.actions import Log
from mtad.sieve.code import answer
from mtad.sieve.dialects import POLICY
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import StillFacts, first_error

REQUIRE = 'require ["vnd.mtad.lookup", "vnd.mtad.stage", "vnd.mtad.log"];\n'
MX, NO_RECORD, NO_NAME = Found(("10 mx.x.test",), 60), Absent(Absence.NODATA), Absent(Absence.NXDOMAIN)
NULL_MX, ADDRESS, SILENT = Found(("0 .",), 60), Found(("192.0.2.9",), 60), Unknown("no answer")


class Zone:
    """A domain whose records a test says."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = dict(zip(("MX", "A", "AAAA"), answers, strict=False))
        self.asked: list[str] = []

    async def lookup(self, name: str, record_type: str) -> Answer:
        self.asked.append(f"{record_type} {name}")
        return self._answers[record_type]


async def said(zone: Zone, sender: str = "a@x.test", tag: str = "") -> list[str]:
    script = compile_script(
        f'{REQUIRE}stage "mail" {{ if validsender {tag} {{ log "valid"; }} }}', "t", POLICY, Outside(names=zone)
    )
    assert isinstance(script, Script), str(script)
    run = Run(StillFacts(envelope={"from": [sender]}), Limits())
    await answer(script.stages["mail"], run)
    return [action.text for action in run.actions if isinstance(action, Log)]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((MX,), True),
        ((NULL_MX,), False),
        ((NO_NAME,), False),
        ((NO_RECORD, ADDRESS, NO_RECORD), True),
        ((NO_RECORD, NO_RECORD, ADDRESS), True),
        ((NO_RECORD, SILENT, ADDRESS), True),
        ((NO_RECORD, NO_RECORD, NO_RECORD), False),
    ],
)
async def test_whether_the_domain_takes_mail(answers: tuple[Answer, ...], expected: bool) -> None:
    assert await said(Zone(*answers)) == (["valid"] if expected else [])


@pytest.mark.parametrize("sender", ["", "a@[192.0.2.1]"])
async def test_where_there_is_no_domain_nothing_is_asked(sender: str) -> None:
    zone = Zone()
    assert await said(zone, sender) == ["valid"]
    assert zone.asked == []


@pytest.mark.parametrize("answers", [(SILENT,), (NO_RECORD, SILENT, NO_RECORD)])
async def test_what_cannot_be_known_ends_the_stage_for_now_unless_the_policy_says_otherwise(
    answers: tuple[Answer, ...],
) -> None:
    with pytest.raises(ScriptFailed, match=r"validsender: (MX|address) of x\.test: no answer"):
        await said(Zone(*answers))
    assert (await said(Zone(*answers), tag=':onerror "true"'))[-1] == "valid"
    assert "valid" not in await said(Zone(*answers), tag=':onerror "false"')


def test_it_is_legal_where_the_reverse_path_is_known() -> None:
    text = f'{REQUIRE}stage "ehlo" {{ if validsender {{ stop; }} }}'
    assert first_error(text, POLICY).endswith('validsender is not legal in stage "ehlo"')
