from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mtad.admission.facts import MailFacts, MessageFacts, RecipientFacts, SessionFacts
from mtad.admission.policy import (
    DEFAULT_POLICY,
    FILES_MAX,
    Policy,
    PolicyErrors,
    PolicySettings,
)
from mtad.limits.questions import Answer, Counted, Held, Question, Rate
from mtad.mail.envelope import NO_TLS, Client, Envelope, Tls
from mtad.mail.reply import Reply
from mtad.mail.route import Route, TlsLevel, Transport
from mtad.mail.verdict import GO_ON, Disposition, RetryPlan, Seen, Signing, Verdict
from mtad.maps.table import Table
from mtad.off_loop import ON_LOOP_OCTETS_MAX
from mtad.sieve.dialects import POLICY
from mtad.sieve.doors import Doors
from mtad.sieve.outside import Outside
from mtad.sieve.run import Limits
from mtad.telemetry.events import CollectedEvents
from tests.unit.mtad.admission.test_relay import OPEN_RELAY_FORMS

STRANGER = SessionFacts(Client("192.0.2.9", 4711, helo="mx.d.example"), "smtp")
TRUSTED = SessionFacts(Client("192.0.2.9", 4711), "smtp", is_trusted=True)
AUTHENTICATED = SessionFacts(Client("192.0.2.9", 4711, identity="ann"), "submission")
DENIED = Reply.of(550, "5.7.1", "Relaying denied")
_REQUIRE = (
    'require ["envelope", "environment", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "vnd.mtad.queue",\n'
    '         "vnd.mtad.log", "vnd.mtad.sign"];\n'
)


def policy(
    script: str,
    events: CollectedEvents | None = None,
    *,
    limits: Limits | None = None,
    retry: RetryPlan | None = None,
    require: str = "envelope",
) -> Policy:
    ours = ("L.example", "kernel.example", "xn--bcher-kva.example")
    settings = PolicySettings(ours, limits or Limits(), retry or RetryPlan())
    found = Policy.compile(
        _REQUIRE.replace("[", f'["{require}", ') + script, "test.sieve", settings, events or CollectedEvents()
    )
    assert isinstance(found, Policy), str(found)
    return found


def to(recipient: str, session: SessionFacts = STRANGER) -> RecipientFacts:
    return RecipientFacts(session, "a@d.example", recipient)


def message(content: bytes = b"Subject: x\r\n\r\n") -> MessageFacts:
    return MessageFacts(STRANGER, "a@d.example", ("u@l.example", "v@l.example"), content)


async def deliver(script: str, recipient: str = "u@l.example") -> Disposition:
    return await policy(script).deliver(Envelope("a@d.example", STRANGER.client), recipient)


async def test_an_empty_policy_is_the_built_in_default() -> None:
    empty = policy("")
    assert await empty.connect(STRANGER) == GO_ON
    assert await empty.ehlo(STRANGER) == GO_ON
    assert await empty.auth(AUTHENTICATED) == GO_ON
    assert await empty.mail(MailFacts(STRANGER, "")) == GO_ON
    assert await empty.rcpt(to("u@l.example")) == GO_ON
    assert await empty.rcpt(to("postmaster")) == GO_ON
    assert (await empty.rcpt(to("u@d.example"))).reply == DENIED
    assert await empty.data(message()) == GO_ON
    assert await deliver("") == Disposition(Route(), RetryPlan())


@pytest.mark.parametrize("recipient", OPEN_RELAY_FORMS)
@pytest.mark.parametrize("script", ["", 'stage "rcpt" { }', 'stage "rcpt" { accept; }', 'stage "rcpt" { keep; stop; }'])
async def test_no_form_of_address_makes_an_open_relay(script: str, recipient: str) -> None:
    verdict = await policy(script).rcpt(to(recipient))
    assert verdict.reply == DENIED
    assert not verdict.is_accepted


@pytest.mark.parametrize("session", [TRUSTED, AUTHENTICATED])
async def test_submitters_may_send_anywhere(session: SessionFacts) -> None:
    assert await policy("").rcpt(to("u@d.example", session)) == GO_ON
    assert (await policy('stage "rcpt" { accept; }').rcpt(to("u@d.example", session))).is_accepted


@pytest.mark.parametrize(
    ("sender", "is_theirs"),
    [
        ("a@l.example", True),
        ("b+c@L.EXAMPLE", True),
        ("", True),
        ("a@d.example", False),
        ("a@\u0142.example", False),
        ("a@b\u00fccher.example", True),
        ("a@XN--bcher-kva.example", True),
        ("a@\u212aernel.example", False),
    ],
)
async def test_users_send_as_addresses_of_our_domains(sender: str, is_theirs: bool) -> None:
    user = SessionFacts(Client("192.0.2.9", 1, identity="alice"))
    for script in ("", 'stage "mail" { accept; }'):
        verdict = await policy(script).mail(MailFacts(user, sender))
        assert (verdict.reply is None) is is_theirs
        assert (await policy(script).mail(MailFacts(STRANGER, sender))).reply is None
    assert (await policy("").mail(MailFacts(replace(user, is_trusted=True), sender))).reply is None


async def test_only_accept_relay_overrides_the_default() -> None:
    script = 'stage "rcpt" { if envelope :domain "to" "d.example" { accept :relay; } }'
    assert (await policy(script).rcpt(to("u@d.example"))).reply is None
    assert (await policy(script).rcpt(to("u@e.example"))).reply == DENIED


async def test_accept_relay_at_connect_makes_a_submitter() -> None:
    script = 'stage "connect" { if ip "192.0.2.0/24" { accept :relay :text "Welcome"; } }'
    assert await policy(script).connect(STRANGER) == Verdict(is_trusted=True, is_accepted=True, text="Welcome")
    assert await policy(script).connect(SessionFacts(Client("198.51.100.1", 1))) == GO_ON


async def test_a_refusal_carries_its_reply_and_both_texts() -> None:
    script = 'stage "mail" { if envelope "from" "" { ereject :disconnect :log "null sender" "No bounces here"; } }'
    assert await policy(script).mail(MailFacts(STRANGER, "")) == Verdict(
        Reply.of(550, "5.7.1", "No bounces here"), is_disconnect=True, log="null sender"
    )
    assert await policy(script).mail(MailFacts(STRANGER, "a@d.example")) == GO_ON


async def test_each_stage_knows_its_facts() -> None:
    script = (
        'stage "ehlo" { if environment "vnd.mtad.helo" "mx.d.example" { accept :text "helo"; } }\n'
        'stage "auth" { if environment "vnd.mtad.auth-user" "ann" { accept :text "ann"; } }\n'
        'stage "mail" { if environment "vnd.mtad.listener" "smtp" { accept :text "smtp"; } }\n'
        'stage "rcpt" { if allof (envelope "to" "u@l.example", envelope "from" "a@d.example",\n'
        '    environment ["location"] "mta") { accept :text "rcpt"; } }\n'
    ).replace('["location"]', '"location"')
    script += (
        'stage "data" { if allof (header "subject" "x", envelope "to" "v@l.example", environment "phase" "pre",\n'
        '    environment "name" "mtad", environment "vnd.mtad.stage" "data") { accept :text "data"; } }'
    )
    sieve = policy(script)
    assert (await sieve.ehlo(STRANGER)).text == "helo"
    assert (await sieve.auth(AUTHENTICATED)).text == "ann"
    assert (await sieve.mail(MailFacts(STRANGER, "a@d.example"))).text == "smtp"
    assert (await sieve.rcpt(to("u@l.example"))).text == "rcpt"
    assert (await sieve.data(message())).text == "data"
    assert (await sieve.data(message(b"Subject: y\r\n\r\n"))).text == ""


@pytest.mark.parametrize("stage", ["rcpt", "data"])
async def test_discard(stage: str) -> None:
    sieve = policy(f'stage "{stage}" {{ discard; ereject "never"; }}')
    verdict = await (sieve.rcpt(to("u@d.example")) if stage == "rcpt" else sieve.data(message()))
    assert verdict == Verdict(is_discarded=True)


@pytest.mark.parametrize(
    ("script", "recipient", "code"),
    [
        ('tempfail :ifaccept "later";', "u@l.example", 451),
        ('tempfail :ifaccept "later"; accept;', "u@l.example", 451),
        ('tempfail :ifaccept "later";', "u@d.example", 550),
        ('tempfail :ifaccept "later"; ereject "no";', "u@l.example", 550),
        ('tempfail :ifreject "later";', "u@l.example", None),
        ('tempfail :ifreject "later";', "u@d.example", 451),
        ('tempfail :ifreject "later"; ereject "no";', "u@l.example", 451),
        ('tempfail :ifaccept "later"; tempfail :code 450 "now";', "u@l.example", 450),
        ('tempfail :ifaccept :code 452 "a"; tempfail :ifaccept "b";', "u@l.example", 452),
    ],
)
async def test_held_back_tempfails(script: str, recipient: str, code: int | None) -> None:
    verdict = await policy(f'stage "rcpt" {{ {script} }}').rcpt(to(recipient))
    assert (verdict.reply.code if verdict.reply else None) == code


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('route :tls "encrypt" "smtp";', Disposition(Route(tls=TlsLevel.ENCRYPT), RetryPlan())),
        ('route :nomx "smtp";', Disposition(Route(hosts=("l.example",)), RetryPlan())),
        (
            'route :host "unix:/a" "lmtp"; route :host "b.example" :port 24 "lmtp";',
            Disposition(Route(Transport.LMTP, ("b.example",), 24), RetryPlan()),
        ),
        ("queue;", Disposition(Route(), RetryPlan(), queue_at_once=True)),
        ("discard; queue;", Disposition(Route(), RetryPlan(), is_discarded=True)),
        ("queue :after 60;", Disposition(Route(), RetryPlan(), queue_at_once=True, queue_seconds=60)),
        (
            'sign :domain "a.example"; sign :domain "b.example" :selector "s" :headers "to";',
            Disposition(Route(), RetryPlan(), signing=Signing("b.example", "s", ("to",))),
        ),
        ("queue :transient;", Disposition(Route(), RetryPlan(), queue_on_transient=True)),
        (
            "queue; queue :transient;",
            Disposition(Route(), RetryPlan(), queue_on_transient=True, queue_at_once=True),
        ),
        (
            'retry :intervals "60"; retry :expire 7200;',
            Disposition(Route(), RetryPlan((60,), 7200)),
        ),
        ("retry :expire 7200 :delaydsn 0;", Disposition(Route(), RetryPlan(expire_seconds=7200, warn_seconds=0))),
        ('if envelope "to" "w@l.example" { queue; }', Disposition(Route(), RetryPlan())),
        ('if ip "192.0.2.0/24" { queue; }', Disposition(Route(), RetryPlan(), queue_at_once=True)),
    ],
)
async def test_dispositions(script: str, expected: Disposition) -> None:
    assert await deliver(f'stage "deliver" {{ {script} }}') == expected


@pytest.mark.parametrize(
    ("recipient", "hosts"),
    [
        ("u@L.example", ("l.example",)),
        ("u@[192.0.2.1]", ("192.0.2.1",)),
        ("u@[IPv6:2001:db8::1]", ("2001:db8::1",)),
        ("postmaster", ()),
    ],
)
async def test_nomx_goes_to_the_recipients_own_domain(recipient: str, hosts: tuple[str, ...]) -> None:
    assert (await deliver('stage "deliver" { route :nomx "smtp"; }', recipient)).route.hosts == hosts


async def test_what_the_policy_leaves_open_is_as_configured() -> None:
    plan = RetryPlan((1, 2), 3, 4)
    found = await policy('stage "deliver" { retry :expire 9; }', retry=plan).deliver(
        Envelope("", STRANGER.client), "u@l.example"
    )
    assert found.retry == RetryPlan((1, 2), 9, 4)


async def test_log_lines_become_events_even_where_the_client_is_refused() -> None:
    events = CollectedEvents()
    await policy('stage "mail" { log :level "warning" "seen"; ereject "no"; }', events).mail(MailFacts(STRANGER, ""))
    assert events.named("policy.log") == [{"stage": "mail", "client": "192.0.2.9", "text": "seen"}]


async def test_a_policy_that_exceeds_its_limits_fails_closed() -> None:
    events = CollectedEvents()
    spent = policy(
        'stage "rcpt" { accept :relay; } stage "deliver" { queue :transient; }', events, limits=Limits(nodes_max=0)
    )
    verdict = await spent.rcpt(to("u@l.example"))
    assert verdict.reply is not None
    assert (verdict.reply.code, verdict.reply.enhanced) == (451, "4.3.0")
    assert not verdict.is_trusted
    assert not verdict.is_accepted
    (event,) = events.named("policy.fault")
    assert event["why"] == "LimitExceeded: nodes"
    assert str(event["trace"]) in verdict.reply.text
    found = await spent.deliver(Envelope("", STRANGER.client), "u@l.example")
    assert (found.queue_at_once, found.is_fault) == (True, True)
    assert len(events.named("policy.fault")) == 2


async def test_a_fault_of_ours_in_a_policy_is_transient_and_says_nothing() -> None:
    events = CollectedEvents()
    broken = MessageFacts(STRANGER, "", (), None)  # type: ignore[arg-type]
    verdict = await policy('stage "data" { if exists "x" { accept; } }', events).data(broken)
    assert verdict.reply is not None
    assert verdict.reply.text.startswith("4.3.0 Local error, ref ")
    assert "None" not in verdict.reply.text
    assert str(events.named("policy.fault")[0]["why"]).startswith("TypeError")


async def test_the_default_policy_loads_and_trusts_this_machine_alone() -> None:
    found = Policy.load(DEFAULT_POLICY, PolicySettings(("l.example",)), CollectedEvents())
    assert isinstance(found, Policy), str(found)
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert (await found.connect(SessionFacts(Client(address, 1)))).is_trusted
    for address in ("192.0.2.1", "10.0.0.1", "::2", "::ffff:192.0.2.1", ""):
        assert await found.connect(SessionFacts(Client(address, 1))) == GO_ON
    assert (await found.rcpt(to("u@d.example"))).reply == DENIED
    assert await found.deliver(Envelope("", STRANGER.client), "u@l.example") == Disposition(Route(), RetryPlan())


def test_the_examples_in_the_default_policy_are_right() -> None:
    text = re.sub(r"^( *)#   (.+)$", r"\1\2", DEFAULT_POLICY.read_text(), flags=re.MULTILINE)
    assert re.findall(r"^stage .(\w+).", text, re.MULTILINE) == ["connect", "rcpt", "data", "deliver", "queue"]
    names = ", ".join(f'"{name}"' for name in sorted(POLICY.capabilities))
    text = re.sub(r"^require .*$", f"require [{names}];", text, count=1, flags=re.MULTILINE)
    settings = PolicySettings(("l.example",), outside=Outside({"recipients": Table({})}))
    found = Policy.compile(text, "default", settings, CollectedEvents())
    assert isinstance(found, Policy), str(found)


async def test_a_policy_knows_the_time() -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    settings = PolicySettings((), doors=Doors(clock=lambda: now))
    text = (
        'require ["date", "vnd.mtad.stage", "vnd.mtad.verdict"];'
        'stage "ehlo" { if currentdate "hour" "12" { accept :text "noon"; } }'
    )
    found = Policy.compile(text, "t", settings, CollectedEvents())
    assert isinstance(found, Policy), str(found)
    assert (await found.ehlo(STRANGER)).text == "noon"
    today = PolicySettings().doors.clock
    assert today is not None
    assert abs(today() - datetime.now(UTC)) < timedelta(minutes=1)


class TestLoading:
    def load(self, path: Path) -> Policy | PolicyErrors:
        return Policy.load(path, PolicySettings(("l.example",)), CollectedEvents())

    def test_errors_name_the_file_and_the_place(self, tmp_path: Path) -> None:
        file = tmp_path / "a.sieve"
        file.write_text('require "nope";\n  acept;\n')
        found = self.load(file)
        assert isinstance(found, PolicyErrors)
        assert [(error.file, error.line, error.column) for error in found.errors] == [
            (str(file), 1, 9),
            (str(file), 2, 3),
        ]
        assert str(found).splitlines()[0] == f'{file}:1:9: unknown capability "nope"'

    def test_a_file_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        found = self.load(tmp_path / "none.sieve")
        assert isinstance(found, PolicyErrors)
        assert "cannot be read: No such file" in str(found)
        found = self.load(tmp_path / f"{'long' * 100}.sieve")
        assert isinstance(found, PolicyErrors)
        assert "cannot be read: File name too long" in str(found)

    def test_a_file_that_is_not_utf_8_is_an_error_where_it_stops_being(self, tmp_path: Path) -> None:
        file = tmp_path / "a.sieve"
        file.write_bytes(b"# one\n# \xc3\xbc \xff\n")
        found = self.load(file)
        assert isinstance(found, PolicyErrors)
        assert [(error.line, error.column) for error in found.errors] == [(2, 5)]

    def test_a_byte_order_mark_is_an_error_that_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "a.sieve"
        file.write_text("acept;", encoding="utf-8-sig")
        assert str(self.load(file)) == f"{file}:1:1: begins with a byte order mark: save it as UTF-8 without one"

    async def test_a_folder_is_read_in_the_order_of_its_names(self, tmp_path: Path) -> None:
        head = 'require ["vnd.mtad.stage", "vnd.mtad.verdict"]; stage "ehlo" '
        (tmp_path / "20.sieve").write_text(head + '{ accept :text "second"; }')
        (tmp_path / "10.sieve").write_text(head + '{ accept :text "first"; }')
        (tmp_path / "note.txt").write_text("no script")
        found = self.load(tmp_path)
        assert isinstance(found, Policy)
        assert (await found.ehlo(STRANGER)).text == "first"

    async def test_scripts_are_included_from_their_folder(self, tmp_path: Path) -> None:
        (tmp_path / "include").mkdir()
        (tmp_path / "include" / "no.sieve").write_text('require "vnd.mtad.verdict"; accept :text "included";')
        (tmp_path / "a.sieve").write_text('require ["vnd.mtad.stage", "include"]; stage "ehlo" { include "no"; }')
        found = self.load(tmp_path)
        assert isinstance(found, Policy)
        assert (await found.ehlo(STRANGER)).text == "included"

    def test_an_included_script_that_cannot_be_read_is_an_error_and_not_one_that_is_not_there(
        self, tmp_path: Path
    ) -> None:
        head = 'require ["vnd.mtad.stage", "include"]; stage "ehlo" '
        (tmp_path / "a.sieve").write_text(head + '{ include :optional "no"; }')
        assert isinstance(self.load(tmp_path), Policy)
        (tmp_path / "include").mkdir()
        included = tmp_path / "include" / "no.sieve"
        included.write_bytes(b"# one\n\xff")
        assert str(self.load(tmp_path / "a.sieve")).endswith(
            f'"no" cannot be read: {included}:2:1: not UTF-8 (RFC 5228 §2.1)'
        )
        included.unlink()
        included.mkdir()
        assert str(self.load(tmp_path / "a.sieve")).endswith('"no" cannot be read: Is a directory')
        (tmp_path / "a.sieve").write_text(head + '{ include "nobody"; }')
        assert str(self.load(tmp_path / "a.sieve")).endswith('there is no personal script "nobody"')

    def test_all_files_of_a_folder_report_their_errors(self, tmp_path: Path) -> None:
        for name in ("a.sieve", "b.sieve"):
            (tmp_path / name).write_text("acept;")
        found = self.load(tmp_path)
        assert isinstance(found, PolicyErrors)
        assert [Path(error.file).name for error in found.errors] == ["a.sieve", "b.sieve"]

    def test_a_folder_needs_files_but_not_too_many(self, tmp_path: Path) -> None:
        assert isinstance(self.load(tmp_path), PolicyErrors)
        for number in range(FILES_MAX + 1):
            (tmp_path / f"{number}.sieve").touch()
        assert isinstance(self.load(tmp_path), PolicyErrors)
        (tmp_path / "0.sieve").unlink()
        assert isinstance(self.load(tmp_path), Policy)


@pytest.mark.parametrize("octets", [0, ON_LOOP_OCTETS_MAX])
async def test_what_a_policy_changes_goes_on_changed(octets: int) -> None:
    sieve = policy('stage "data" { addheader "X-A" "b"; }', require="editheader")
    body = b"x" * octets
    assert (await sieve.data(message(b"Subject: x\r\n\r\n" + body))).content == b"X-A: b\r\nSubject: x\r\n\r\n" + body
    assert (await policy("").data(message())).content is None


async def test_the_last_key_that_a_policy_names_signs() -> None:
    script = 'stage "data" { sign :domain "a.example"; sign :domain "b.example" :selector "s"; }'
    verdict = await policy(script, require="vnd.mtad.sign").data(message())
    assert verdict == Verdict(signing=Signing("b.example", "s"))
    assert (await policy('stage "data" { queue; }').data(message())) == Verdict(queue_at_once=True)
    held = await policy('stage "data" { hold; hold :reason "x"; }').data(message())
    assert held == Verdict(held="by policy: x", queue_at_once=True)


async def test_a_policy_knows_how_the_client_is_encrypted() -> None:
    script = 'stage "ehlo" { if environment "vnd.mtad.tls-version" "" { tempfail "Use STARTTLS"; } accept; }'
    sieve = policy(script + 'stage "mail" { if environment :contains "vnd.mtad.tls-cipher" "SHA384" { accept; } }')
    assert (await sieve.ehlo(STRANGER)).reply is not None
    told = replace(STRANGER.client, is_tls=True, tls=Tls("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
    for client in (told, replace(told, tls=NO_TLS)):
        assert (await sieve.ehlo(SessionFacts(client))).is_accepted
    assert (await sieve.mail(MailFacts(SessionFacts(told), ""))).is_accepted
    assert not (await sieve.mail(MailFacts(STRANGER, ""))).is_accepted


class CountedTogether:
    """Answers when it was asked so many questions."""

    def __init__(self, questions_count: int) -> None:
        self._left = questions_count
        self._is_all = asyncio.Event()
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        if len(self.asked) == self._left:
            self._is_all.set()
        await self._is_all.wait()
        return Counted(False, 1)

    async def take(self, counter: bytes, limit: int) -> Held | Answer:
        raise AssertionError("nothing is held")


async def test_all_that_was_seen_is_told_at_once_for_the_client_waits() -> None:
    seen = [Seen(bytes([number]) * 16, 3600) for number in range(16)]
    limits = CountedTogether(len(seen))
    settings = PolicySettings((), Limits(), RetryPlan(), outside=Outside(limits=limits))
    found = Policy.compile(DEFAULT_POLICY.read_text(), "test.sieve", settings, CollectedEvents())
    assert isinstance(found, Policy)
    async with asyncio.timeout(30):
        await found.remember(seen)
    assert limits.asked == [Rate(one.counter, 1, 3600) for one in seen]
