"""`redirect` with a time to be delivered by (RFC 6009)."""

from __future__ import annotations

import pytest

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.sieve.actions import Redirect
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.language import OUTSIDE
from mtad.sieve.run import ScriptFailed
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import NOW, StillFacts, run_plain

NOW_MS = int(NOW.timestamp() * 1000)
REQUIRE = 'require ["redirect-deliverby", "redirect-dsn", "copy", "variables"]; '


def asked(tags: str, address: str = '"b@x.test"', before: str = "") -> DeliverBy | None:
    """Return by when a policy has mail delivered that it redirects so."""
    text = f'{REQUIRE}require "vnd.mtad.stage"; stage "rcpt" {{ {before} redirect {tags} {address}; }}'
    [redirect] = run_plain(text, StillFacts(), language=POLICY, stage="rcpt")
    assert isinstance(redirect, Redirect)
    assert redirect.address == "b@x.test"
    assert run_plain(f"{REQUIRE}{before} redirect {tags} {address};", StillFacts(), stage=OUTSIDE) == [redirect]
    return redirect.by


@pytest.mark.parametrize(
    ("tags", "by"),
    [
        ("", None),
        (":bytimerelative 600", DeliverBy(NOW_MS + 600_000, Late.NOTIFY)),
        (':bytimerelative 1 :bymode "return" :bytrace', DeliverBy(NOW_MS + 1_000, Late.RETURN, is_traced=True)),
        (':bytimerelative 0 :bymode "Notify"', DeliverBy(NOW_MS, Late.NOTIFY)),
        (':bytimeabsolute "2026-03-01T23:40:05+01:00"', DeliverBy(NOW_MS + 600_000, Late.NOTIFY)),
        (':copy :bytimeabsolute "2026-03-01T22:40:05Z" :bymode "return"', DeliverBy(NOW_MS + 600_000, Late.RETURN)),
        (':bytimeabsolute "2026-03-01T23:40:05+0100"', DeliverBy(NOW_MS + 600_000, Late.NOTIFY)),
        (':bytimeabsolute "2026-03-01t22:40:05z"', DeliverBy(NOW_MS + 600_000, Late.NOTIFY)),
        (':bytimeabsolute "9999-12-31T23:59:59Z"', DeliverBy(253_402_300_799_000, Late.NOTIFY)),
        (':bytimeabsolute "2026-03-01T22:30:05Z"', DeliverBy(NOW_MS, Late.NOTIFY)),
    ],
)
def test_a_time_is_a_moment(tags: str, by: DeliverBy | None) -> None:
    assert asked(tags) == by
    assert asked(tags, '"${a}@x.test"', 'set "a" "b";') == by


def test_a_moment_may_be_put_together() -> None:
    before = 'set "hour" "22";'
    assert asked(':bytimeabsolute "2026-03-01T${hour}:40:05Z"', before=before) == asked(":bytimerelative 600")


@pytest.mark.parametrize(
    "text", ["${hour}", "2026-03-01T${hour}:00:00", "1969-03-01T${hour}:00:00Z", "9999-12-31T${hour}:00:00-02:00"]
)
def test_what_is_found_to_be_no_moment_fails(text: str) -> None:
    with pytest.raises(ScriptFailed, match="no time with a zone"):
        asked(f':bytimeabsolute "{text}"', before='set "hour" "22";')


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        (":bytimerelative 1000000000", "1000000000 seconds are none to deliver in: 0 to 999999999"),
        (':bytimerelative 0 :bymode "return"', "0 seconds are none to deliver in: 1 to 999999999"),
        (':bytimerelative 60 :bymode "R"', '"R" is no mode: notify or return'),
        (
            ':bytimeabsolute "tomorrow"',
            '"tomorrow" is no time with a zone: "2026-03-01T22:00:00+01:00" is one',
        ),
        (
            ':bytimeabsolute "2026-03-01T22:00:00"',
            '"2026-03-01T22:00:00" is no time with a zone: "2026-03-01T22:00:00+01:00" is one',
        ),
        (':bymode "return"', "redirect :bymode and :bytrace need a time: :bytimerelative is one"),
        (":bytrace", "redirect :bymode and :bytrace need a time: :bytimerelative is one"),
    ],
)
def test_what_is_no_time_is_an_error(tags: str, error: str) -> None:
    found = compile_script(f'{REQUIRE}redirect {tags} "b@x.test";', "t", PLAIN)
    assert isinstance(found, SieveErrors)
    assert [one.text for one in found.errors] == [error]


@pytest.mark.parametrize(
    "script",
    [
        'redirect :bytimerelative 600 "b@x.test";',
        f'{REQUIRE}redirect :bytimerelative 600 :bytimeabsolute "2026-03-01T22:00:00Z" "b@x.test";',
    ],
)
def test_it_must_be_required_and_is_one_time(script: str) -> None:
    assert isinstance(compile_script(script, "t", PLAIN), SieveErrors)
