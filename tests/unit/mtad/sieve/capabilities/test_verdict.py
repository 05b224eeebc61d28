from __future__ import annotations

import pytest

from mtad.mail.reply import Reply
from mtad.sieve.actions import Accept, Action, Keep, Refuse, Unless
from mtad.sieve.dialects import PLAIN, POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, run_plain

_REQUIRE = 'require ["vnd.mtad.stage", "vnd.mtad.verdict"];\n'


def actions(command: str, stage: str = "rcpt") -> list[Action]:
    text = f'{_REQUIRE}stage "{stage}" {{\n{command} keep; }}'
    return run_plain(text, StillFacts(), language=POLICY, stage=stage)


def error(command: str) -> str:
    found = compile_script(f'{_REQUIRE}stage "rcpt" {{\n{command} }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    return str(found)


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ("accept;", Accept()),
        ("accept :relay;", Accept(is_relay=True)),
        ('accept :text "Grüß Gott";', Accept(text="Gr?? Gott")),
        ('ereject "no";', Refuse(Reply.of(550, "5.7.1", "no"))),
        ('reject "no";', Refuse(Reply.of(550, "5.7.1", "no"))),
        ('ereject :code 552 :enhanced "5.3.4" "big";', Refuse(Reply.of(552, "5.3.4", "big"))),
        ('ereject "552 5.3.4 big";', Refuse(Reply.of(552, "5.3.4", "big"))),
        ('ereject :disconnect :log "seen" "no";', Refuse(Reply.of(550, "5.7.1", "no"), True, "seen")),
        ('ereject text:\none\ntwö\n.\n;', Refuse(Reply.of(550, "5.7.1", "one", "tw?"))),
        ('tempfail "later";', Refuse(Reply.of(451, "4.7.1", "later"))),
        ('tempfail :code 421 "later";', Refuse(Reply.of(421, "4.7.1", "later"), is_disconnect=True)),
        ('tempfail "450 4.2.1 later";', Refuse(Reply.of(450, "4.2.1", "later"))),
    ],
)  # fmt: skip
def test_each_verdict_ends_the_stage(command: str, action: Action) -> None:
    assert actions(command) == [action]


@pytest.mark.parametrize("unless", [Unless.IF_ACCEPT, Unless.IF_REJECT])
def test_a_held_back_tempfail_goes_on(unless: Unless) -> None:
    assert actions(f'tempfail {unless.value} "later";') == [
        Refuse(Reply.of(451, "4.7.1", "later"), unless=unless),
        Keep.KEEP,
    ]


def test_before_the_greeting_the_codes_are_those_of_a_greeting() -> None:
    assert actions('ereject "no";', "connect") == [Refuse(Reply.of(554, "5.7.1", "no"))]
    assert actions('tempfail "later";', "connect") == [Refuse(Reply.of(421, "4.7.1", "later"), is_disconnect=True)]


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ('ereject :code 450 "no";', "t:3:15: ereject answers 5xx, not 450"),
        ('tempfail :code 550 "no";', "t:3:16: tempfail answers 4xx, not 550"),
        ('ereject :enhanced "4.1.1" "no";', 't:3:19: ereject needs an enhanced code 5.x.x, not "4.1.1"'),
        ('ereject :enhanced "5.1" "no";', 't:3:19: ereject needs an enhanced code 5.x.x, not "5.1"'),
        ('ereject :enhanced "5.٣.1" "no";', 't:3:19: ereject needs an enhanced code 5.x.x, not "5.٣.1"'),
        ('ereject "450 4.1.1 no";', "t:3:9: ereject answers 5xx, not 450"),
        ('ereject "550 4.1.1 no";', 't:3:9: ereject needs an enhanced code 5.x.x, not "4.1.1"'),
        (
            'ereject :code 550 "550 5.1.1 no";',
            "t:3:19: the reason starts with codes of its own: give them there or by tags, not both",
        ),
        (
            'tempfail :ifaccept :ifreject "a";',
            "t:3:20: :ifreject stands beside :ifaccept: only one of them is possible",
        ),
        (
            'tempfail :ifaccept :disconnect "a";',
            "t:3:1: tempfail :ifaccept stands beside :disconnect: only one of them is possible",
        ),
        ('ereject "' + "\n" * 21 + 'x\nx";', None),
        ('ereject "' + "x\n" * 21 + 'x";', "t:3:9: a reason may have 20 lines"),
        ('ereject;', "t:3:1: argument 1 of ereject must be a string"),
        ('ereject :ifaccept "a";', "t:3:9: ereject has no tag :ifaccept"),
    ],
)  # fmt: skip
def test_what_no_reply_can_say_is_an_error(command: str, wrong: str | None) -> None:
    if wrong is not None:
        assert error(command) == wrong
    else:
        assert actions(command)


def test_in_a_plain_script_reject_does_not_end_it() -> None:
    text = 'require "reject"; reject "no"; keep;'
    assert run_plain(text, StillFacts(), language=PLAIN) == [Refuse(Reply.of(550, "5.7.1", "no")), Keep.KEEP]
