from __future__ import annotations

import pytest

from mtad.mail.dsn_request import Notify, RecipientRequest, Return
from mtad.sieve.actions import Action, AddRecipient, DeleteRecipient, Redirect, SetRecipient, SetSender
from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.run import LimitExceeded, Limits, ScriptFailed
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, first_error, run_plain

REQUIRE = 'require ["variables", "vnd.mtad.stage", "vnd.mtad.envelope"];\n'


@pytest.mark.parametrize(
    ("given", "path"), [("a@x.test", "a@x.test"), ("<a@x.test>", "a@x.test"), ("", ""), ("<>", "")]
)
def test_a_sender_is_an_address_or_nobody(given: str, path: str) -> None:
    constant = f'{REQUIRE}stage "mail" {{ setsender "{given}"; }}'
    variable = f'{REQUIRE}stage "mail" {{ set "a" "{given}"; setsender "${{a}}"; }}'
    for text in (constant, variable):
        assert run_plain(text, StillFacts(), language=POLICY, stage="mail") == [SetSender(path)]


@pytest.mark.parametrize("given", ["a", "a b@x.test", "a@b\u00fccher.test", "<a@x.test", "a@x.test, b@x.test"])
def test_what_is_no_address_is_an_error(given: str) -> None:
    found = compile_script(f'{REQUIRE}stage "mail" {{ setsender "{given}"; }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == [f'"{given}" is no address in ASCII']
    text = f'{REQUIRE}stage "mail" {{ set "a" "{given}"; setsender "${{a}}"; }}'
    with pytest.raises(ScriptFailed, match="is no address in ASCII"):
        run_plain(text, StillFacts(), language=POLICY, stage="mail")


@pytest.mark.parametrize("command", ['setsender :verp "n@x.test";', 'set "a" "<n@x.test>"; setsender :verp "${a}";'])
def test_a_sender_that_names_the_recipient(command: str) -> None:
    text = f'{REQUIRE}stage "mail" {{ {command} }}'
    sent = StillFacts(envelope={"from": ("ann@x.test",)})
    assert run_plain(text, sent, language=POLICY, stage="mail") == [SetSender("n@x.test", is_verp=True)]
    bounced = StillFacts(envelope={"from": ("",)})
    assert run_plain(text, bounced, language=POLICY, stage="mail") == [SetSender("")]


@pytest.mark.parametrize("given", ["", "<>", "a b@x.test", "n@b\u00fccher.test"])
def test_what_can_name_no_recipient_is_an_error(given: str) -> None:
    text = f'{REQUIRE}stage "mail" {{ setsender :verp "{given}"; }}'
    assert first_error(text, POLICY) == f'2:32: "{given}" is no address in ASCII'
    later = f'{REQUIRE}stage "mail" {{ set "a" "{given}"; setsender :verp "${{a}}"; }}'
    with pytest.raises(ScriptFailed, match=r"setsender :verp: .* is no address in ASCII"):
        run_plain(later, StillFacts(envelope={"from": ("ann@x.test",)}), language=POLICY, stage="mail")


def test_a_sender_has_one_form() -> None:
    text = f'{REQUIRE}stage "mail" {{ setsender :srs :verp "n@x.test"; }}'
    assert ":srs" in first_error(text, POLICY)


def test_it_is_changed_before_next_hops_hear_of_it() -> None:
    found = compile_script(f'{REQUIRE}stage "rcpt" {{ setsender ""; }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == ['setsender is not legal in stage "rcpt"']


@pytest.mark.parametrize(("given", "path"), [("b@x.test", "b@x.test"), ("<b@x.test>", "b@x.test")])
def test_a_recipient_is_an_address(given: str, path: str) -> None:
    for command in (f'setrcpt "{given}";', f'set "a" "{given}"; setrcpt "${{a}}";'):
        found = run_plain(f'{REQUIRE}stage "rcpt" {{ {command} }}', StillFacts(), language=POLICY, stage="rcpt")
        assert found == [SetRecipient(path)]


@pytest.mark.parametrize("given", ["", "<>", "b", "b@b\u00fccher.test"])
def test_nobody_is_no_recipient(given: str) -> None:
    found = compile_script(f'{REQUIRE}stage "rcpt" {{ setrcpt "{given}"; }}', "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [error.text for error in found.errors] == [f'"{given}" is no address in ASCII']
    text = f'{REQUIRE}stage "rcpt" {{ set "a" "{given}"; setrcpt "${{a}}"; }}'
    with pytest.raises(ScriptFailed, match="is no address in ASCII"):
        run_plain(text, StillFacts(), language=POLICY, stage="rcpt")


@pytest.mark.parametrize("stage", ["rcpt", "data"])
@pytest.mark.parametrize(
    ("command", "action"),
    [
        ('addrcpt "b@x.test";', AddRecipient("b@x.test")),
        ('set "a" "b"; addrcpt "${a}@x.test";', AddRecipient("b@x.test")),
        ('addrcpt :hidden "b@x.test";', AddRecipient("b@x.test", RecipientRequest(Notify.NEVER), is_hidden=True)),
        (
            'addrcpt :notify "SUCCESS,DELAY" :orcpt "rfc822;c@x.test" "b@x.test";',
            AddRecipient("b@x.test", RecipientRequest(Notify.SUCCESS | Notify.DELAY, "rfc822;c@x.test")),
        ),
        ('redirect "b@x.test";', Redirect("b@x.test")),
        ('set "a" "b"; redirect :copy "${a}@x.test";', Redirect("b@x.test", is_copy=True)),
        ('redirect :notify "delay,failure" "b@x.test";', Redirect("b@x.test", notify=Notify.DELAY | Notify.FAILURE)),
        ('set "a" "b"; redirect :notify "NEVER" "${a}@x.test";', Redirect("b@x.test", notify=Notify.NEVER)),
    ],
)
def test_recipients_are_added(stage: str, command: str, action: Action) -> None:
    text = f'{REQUIRE}require ["copy", "redirect-dsn"]; stage "{stage}" {{ {command} }}'
    assert run_plain(text, StillFacts(), language=POLICY, stage=stage) == [action]


def test_who_is_asked_about_is_taken_out() -> None:
    assert run_plain(f'{REQUIRE}stage "rcpt" {{ delrcpt; }}', StillFacts(), language=POLICY, stage="rcpt") == [
        DeleteRecipient()
    ]


@pytest.mark.parametrize(
    ("stage", "command", "error"),
    [
        ("data", "delrcpt;", 'delrcpt must stand in stage "rcpt" or in foreachrcpt'),
        ("rcpt", 'addrcpt "b";', '"b" is no address in ASCII'),
        ("rcpt", 'addrcpt "";', '"" is no address in ASCII'),
        ("rcpt", 'addrcpt :notify "OFTEN" "b@x.test";', '"OFTEN" is no NOTIFY (RFC 3461)'),
        ("rcpt", 'addrcpt :orcpt "c@x.test" "b@x.test";', "no ORCPT (RFC 3461): rfc822;ann@example.org"),
        ("rcpt", 'addrcpt :hidden :notify "NEVER" "b@x.test";', "addrcpt :hidden has no :notify: nobody hears of it"),
        ("deliver", 'addrcpt "b@x.test";', 'addrcpt is not legal in stage "deliver"'),
        ("mail", 'redirect "b@x.test";', 'redirect is not legal in stage "mail"'),
        ("data", 'redirect :notify "NEVER,DELAY" "b@x.test";', '"NEVER,DELAY" is no NOTIFY (RFC 3461)'),
        (
            "data",
            'redirect :ret "HDRS" "b@x.test";',
            "redirect :ret is for plain scripts: in a policy the message has one RET for all",
        ),
        ("data", 'redirect "b";', '"b" is not one address'),
        ("data", 'redirect "postmaster";', '"postmaster" is not one address'),
        ("data", 'redirect "b@b\u00fccher.test";', '"b@b\u00fccher.test" is not one address'),
    ],
)
def test_what_cannot_be_added_is_an_error(stage: str, command: str, error: str) -> None:
    text = f'{REQUIRE}require "redirect-dsn"; stage "{stage}" {{ {command} }}'
    found = compile_script(text, "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert [one.text for one in found.errors] == [error]


@pytest.mark.parametrize("command", ["addrcpt", "redirect"])
def test_what_is_found_to_be_no_address_fails(command: str) -> None:
    text = f'{REQUIRE}stage "rcpt" {{ set "a" "b@b\u00fccher.test"; {command} "${{a}}"; }}'
    with pytest.raises(ScriptFailed, match=command):
        run_plain(text, StillFacts(), language=POLICY, stage="rcpt")


def test_what_is_added_has_a_limit_however_many_recipients_add_it() -> None:
    text = f'{REQUIRE}stage "data" {{ foreachrcpt {{ addrcpt "b@x.test"; redirect "c@x.test"; }} }}'
    facts = StillFacts(envelope={"to": ["1@x.test", "2@x.test"]})
    run_plain(text, facts, language=POLICY, stage="data", limits=Limits(recipients_added_max=4))
    with pytest.raises(LimitExceeded, match="added recipients"):
        run_plain(text, facts, language=POLICY, stage="data", limits=Limits(recipients_added_max=3))


def test_a_plain_script_says_how_much_a_report_returns() -> None:
    text = 'require "redirect-dsn"; redirect :ret "%s" "b@x.test";'
    assert run_plain(text % "hdrs", StillFacts()) == [Redirect("b@x.test", ret=Return.HEADERS)]
    assert first_error(text % "some").endswith('"some" is no RET: FULL or HDRS')
