from __future__ import annotations

import pytest

from mtad.mail.srs import Srs
from mtad.sieve.actions import Action, SetRecipient, SetSender
from mtad.sieve.code import Plain
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.outside import NOTHING, Outside
from mtad.sieve.run import Limits, Run
from mtad.sieve.script import Script, compile_script
from tests.fakes.sieve_facts import DOORS, NOW, StillFacts

REQUIRE = 'require ["variables", "envelope", "vnd.mtad.stage", "vnd.mtad.envelope"];\n'
SRS = Srs((b"a secret of tests",))
DAY = NOW.toordinal() - 719163  # 1 March, 22:30 UTC: the same day
TEXT = (
    REQUIRE
    + """
stage "mail" { setsender :srs "fwd.example"; }
stage "rcpt" { if srs :into "sender" "${envelope.to}" { setrcpt "${sender}"; } else { setrcpt "none@x.test"; } }
"""
)


def done(stage: str, sender: str = "a@sender.example", recipient: str = "") -> list[Action]:
    script = compile_script(TEXT, "t", POLICY, Outside(srs=SRS))
    assert isinstance(script, Script), str(script)
    code = script.stages[stage]
    assert isinstance(code, Plain)
    run = Run(StillFacts(envelope={"from": [sender], "to": [recipient]}), Limits(), DOORS)
    code.call(run)
    return run.actions


def test_a_sender_is_put_under_our_domain_and_found_again() -> None:
    (made,) = done("mail")
    assert made == SetSender(SRS.made("a@sender.example", "fwd.example", DAY))
    assert isinstance(made, SetSender)
    assert done("rcpt", "", made.address) == [SetRecipient("a@sender.example")]
    assert done("rcpt", "", "SRS0=aaaaaa=aa=sender.example=a@fwd.example") == [SetRecipient("none@x.test")]
    assert done("mail", "") == [SetSender("")]


@pytest.mark.parametrize("domain", ["a@fwd.example", "", "fwd example", "${d}", "b\u00fccher.example"])
def test_what_is_no_domain_is_an_error(domain: str) -> None:
    found = compile_script(f'{REQUIRE}stage "mail" {{ setsender :srs "{domain}"; }}', "t", POLICY, Outside(srs=SRS))
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == [f'setsender :srs needs a domain of ours, not "{domain}"']


def test_without_a_secret_it_is_an_error() -> None:
    found = compile_script(TEXT, "t", POLICY, NOTHING)
    assert isinstance(found, SieveErrors)
    assert {error.text for error in found.errors} == {
        "SRS needs its secrets, in the file srs.secrets beside the policy"
    }
