"""`mtactl queue ...`: the shapes that scripts rely on, and what wants --yes."""

from __future__ import annotations

import base64
import json
import time

import pytest

from mtad.cli import queue_verbs
from mtad.pb import admin_pb2 as pb
from tests.fakes.admin_server import FakeAdmin
from tests.unit.mtad.cli.conftest import Mtactl

ONE, TWO, NONE = "01JD4Z8Q6K100001", "01JD4Z8Q6K100002", "01JD4Z8Q6K1ZZZZZ"


def entries() -> list[pb.QueueEntry]:
    now = int(time.time())
    return [
        pb.QueueEntry(
            queue_name="deferred",
            queue_id=ONE,
            arrival_time=now - 3600,
            message_size=4200,
            sender="a@example.org",
            recipients=[
                pb.QueueRecipient(address="b@example.net", delay_reason="host mx said: 451 busy", state="deferred"),
                pb.QueueRecipient(address="c@Example.net", state="queued"),
            ],
            next_attempt=now + 600.5,
            attempts=2,
            position="1.ab.17",
            queue="slow",
        ),
        pb.QueueEntry(
            queue_name="hold",
            queue_id=TWO,
            arrival_time=now - 60,
            message_size=10,
            sender="MAILER-DAEMON",
            recipients=[pb.QueueRecipient(address="d@example.com")],
            position="1.ab.18",
        ),
    ]


@pytest.fixture
def queued(admin: FakeAdmin) -> FakeAdmin:
    admin.entries = entries()
    return admin


def test_list_as_json_is_postqueues_shape_and_more(queued: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("queue", "list", "--json")
    first, second = result.stdout.splitlines()
    entry = queued.entries[0]
    assert first == (
        f'{{"queue_name": "deferred", "queue_id": "{ONE}", "arrival_time": {entry.arrival_time}, "message_size": 4200, '
        '"forced_expire": false, "sender": "a@example.org", "recipients": [{"address": "b@example.net", '
        '"delay_reason": "host mx said: 451 busy"}, {"address": "c@Example.net"}], '
        f'"next_attempt": {entry.next_attempt}, "attempts": 2, "position": "1.ab.17", "queue": "slow", "priority": 0}}'
    )
    assert json.loads(second)["next_attempt"] is None
    assert queued.requests == [pb.QueueListRequest(selection=pb.Selection(all=True), sort="arrival")]


def test_an_empty_list_as_json_is_no_output(admin: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("queue", "list", "--json")
    assert (result.exit_code, result.stdout) == (0, "")


def test_list_for_people(queued: FakeAdmin, mtactl: Mtactl) -> None:
    titles, first, second, third = mtactl("queue", "list").stdout.splitlines()
    assert titles.split() == ["ID", "QUEUE", "AGE", "SIZE", "NEXT", "TRIES", "SENDER", "RECIPIENT", "REASON"]
    assert first.split()[:7] == [ONE, "deferred", "(slow)", "1", "h", "4.2", "kB"]
    assert "in 10 min" in first
    assert first.endswith("b@example.net  host mx said: 451 busy")
    assert second == " " * second.index("c@") + "c@Example.net"
    assert [third.index("d@"), second.index("c@"), titles.index("RECIPIENT")] == [first.index("b@")] * 3
    assert "1 min" in third
    assert " none " in third


def test_list_passes_the_filters_on(queued: FakeAdmin, mtactl: Mtactl) -> None:
    filters = ["--domain", "d", "--sender", "<>", "--recipient", "r@d", "--state", "held", "--queue", "slow"]
    assert (
        mtactl("queue", "list", *filters, "--older-than", "2h", "--limit", "5", "--sort", "size", "--json").exit_code
        == 0
    )
    chosen = {"domain": "d", "sender": "<>", "recipient": "r@d", "state": "held", "queue": "slow"}
    selection = pb.Selection(older_than_seconds=7200, **chosen)
    assert queued.requests == [pb.QueueListRequest(selection=selection, limit=5, sort="size")]


def test_list_says_when_nothing_is_there(admin: FakeAdmin, mtactl: Mtactl) -> None:
    assert mtactl("queue", "list").stdout == "No message is queued.\n"
    assert mtactl("queue", "list", "--domain", "d").stdout == "No message matches.\n"


def test_a_list_for_people_has_a_limit(queued: FakeAdmin, mtactl: Mtactl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_verbs, "ROWS_MAX", 1)
    shown = mtactl("queue", "list").stdout
    assert TWO not in shown
    assert shown.endswith("... only the first 1 are shown; --limit shows more, --json all.\n")
    assert TWO in mtactl("queue", "list", "--limit", "2").stdout
    assert len(mtactl("queue", "list", "--json").stdout.splitlines()) == 2


def test_a_stranger_cannot_drive_the_terminal(queued: FakeAdmin, mtactl: Mtactl) -> None:
    queued.entries[0].recipients[0].delay_reason = "\x1b]0;owned\x07 [bold]said"
    shown = mtactl("queue", "list").stdout
    assert "�]0;owned� [bold]said" in shown
    assert "\x1b" not in mtactl("queue", "list", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--sort", "age"], "--sort 'age' is not known; it is one of arrival, next-attempt, size, sender"),
        (["list", "--state", "odd"], "--state 'odd' is not known; it is one of deferred, held, active, unknown"),
        (["summary", "--by", "odd"], "--by 'odd' is not known; it is one of domain, sender, reason, queue"),
        (["show", "xyz"], "'xyz' is no queue id"),
        (["flush", ONE, "xyz"], "'xyz' is no queue id"),
        (["hold"], "choose messages by ids, by filters or with --all"),
        (["delete", "--yes"], "choose messages by ids, by filters or with --all"),
        (["release", ONE, "--all"], "choose messages by ids, by filters or with --all, not by two of them"),
        (["delete", "--all", "--domain", "d"], "choose messages by ids, by filters or with --all, not by two of them"),
        (["delete", ONE, "--sender", "<>"], "choose messages by ids, by filters or with --all, not by two of them"),
    ],
)
def test_usage(queued: FakeAdmin, mtactl: Mtactl, arguments: list[str], message: str) -> None:
    result = mtactl("queue", *arguments)
    assert (result.exit_code, result.stderr, result.stdout) == (2, f"mtactl: {message}\n", "")
    assert queued.requests == []


@pytest.mark.parametrize(("verb", "done"), [("flush", "Flushed"), ("hold", "Held"), ("release", "Released")])
def test_harmless_verbs_act_at_once(queued: FakeAdmin, mtactl: Mtactl, verb: str, done: str) -> None:
    result = mtactl("queue", verb, ONE.lower())
    assert (result.exit_code, result.stdout) == (0, f"{done} 1 message: {ONE}.\n")
    assert queued.requests == [pb.QueueActRequest(verb=verb, selection=pb.Selection(queue_ids=[ONE]))]
    assert mtactl("queue", verb, "--all").stdout == f"{done} 2 messages: {ONE}, {TWO}.\n"
    assert queued.requests[-1].selection == pb.Selection(all=True)


def test_delete_wants_yes(queued: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("queue", "delete", "--all")
    assert (result.exit_code, result.stdout) == (1, f"Would delete 2 messages: {ONE}, {TWO}; say --yes to do it.\n")
    result = mtactl("queue", "delete", "--all", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "verb": "delete",
        "done": False,
        "queue_ids": [ONE, TWO],
        "missing": [],
        "refused": "say --yes to do it",
    }
    assert [request.dry_run for request in queued.requests] == [True, True]
    assert len(queued.entries) == 2


def test_delete_with_yes(queued: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("queue", "delete", "--yes", ONE)
    assert (result.exit_code, result.stdout) == (0, f"Deleted 1 message: {ONE}.\n")
    assert [entry.queue_id for entry in queued.entries] == [TWO]


def test_ids_that_are_not_queued(queued: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("queue", "flush", ONE, NONE)
    assert (result.exit_code, result.stdout) == (
        1,
        f"Flushed 1 message: {ONE}.\nNot in the queue, or on hold: {NONE}\n",
    )
    assert json.loads(mtactl("queue", "flush", NONE, "--json").stdout)["missing"] == [NONE]


def test_nothing_that_matches_is_no_failure(admin: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("queue", "hold", "--domain", "d")
    assert (result.exit_code, result.stdout) == (0, "Held 0 messages.\n")


def test_many_ids_are_not_all_written(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.entries = [pb.QueueEntry(queue_id=f"01JD4Z8Q6K1000{i:02}") for i in range(11)]
    shown = mtactl("queue", "hold", "--all").stdout
    assert shown.startswith("Held 11 messages: ")
    assert shown.endswith("00009 and 1 more.\n")


def test_refused(queued: FakeAdmin, mtactl: Mtactl) -> None:
    queued.refused = "the queue cannot keep the change: full"
    result = mtactl("queue", "hold", ONE)
    assert (result.exit_code, result.stdout) == (1, "Refused: the queue cannot keep the change: full\n")
    told = json.loads(mtactl("queue", "hold", ONE, "--json").stdout)
    assert told["refused"] == queued.refused
    assert told["missing"] == []


def test_what_was_done_before_a_refusal_is_told(queued: FakeAdmin, mtactl: Mtactl) -> None:
    queued.refused, queued.refused_after = "the queue cannot keep the change: full", 1
    told = "Refused: the queue cannot keep the change: full; held before that: 1.\n"
    result = mtactl("queue", "hold", "--all")
    assert (result.exit_code, result.stdout) == (1, told)
    assert json.loads(mtactl("queue", "hold", "--all", "--json").stdout)["queue_ids"] == [ONE]


def shown() -> pb.QueueShowReply:
    attempt = pb.AttemptLine(at=1_700_000_000, result="delayed", reply="451 busy", next_hop="mx.example.net", node=1)
    return pb.QueueShowReply(
        found=True,
        entry=entries()[0],
        client="mail.example [192.0.2.9]:2525",
        history=[
            pb.RecipientHistory(address="b@example.net", state="deferred", attempts=[attempt]),
            pb.RecipientHistory(address="c@Example.net", state="queued"),
        ],
    )


def test_show_for_people(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.shown = shown()
    result = mtactl("queue", "show", ONE)
    assert result.exit_code == 0
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_700_000_000))
    assert f"  {stamp}  node 1 at mx.example.net: delayed: 451 busy\n" in result.stdout
    for line in ("b@example.net: deferred", "c@Example.net: queued", "client        mail.example [192.0.2.9]:2525"):
        assert line in result.stdout.splitlines()


def test_show_what_was_asked_and_told(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.shown = shown()
    admin.shown.ret, admin.shown.envid = "FULL", "QQ=1"
    said = admin.shown.history[0]
    said.notify, said.original, said.delay_told = "SUCCESS,DELAY", "rfc822;bob@example.org", 1.7e9
    said.deliver_by, said.late = 1.7e9, "R"
    other = admin.shown.history[1]
    other.deliver_by, other.late = 1.7e9, "N"
    lines = mtactl("queue", "show", ONE).stdout.splitlines()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(1_700_000_000))
    assert lines[lines.index("b@example.net: deferred") + 1 :][:4] == [
        "  given as rfc822;bob@example.org",
        "  the sender wants to hear of: success,delay",
        f"  to be delivered by {stamp}, or returned",
        f"  the sender was told of the delay at {stamp}",
    ]
    assert lines[-1] == f"  to be delivered by {stamp}, or its sender is told"
    found = json.loads(mtactl("queue", "show", ONE, "--json").stdout)
    assert [(one["deliver_by"], one["late"]) for one in found["history"]] == [(1.7e9, "R"), (1.7e9, "N")]
    assert (found["ret"], found["envid"]) == ("FULL", "QQ=1")
    told = found["history"][0]
    assert (told["notify"], told["original_recipient"]) == ("SUCCESS,DELAY", "rfc822;bob@example.org")
    assert told["delay_told"] == 1.7e9


def test_show_which_way_policy_has_chosen_and_what_goes_first(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.shown = shown()
    ordinary = mtactl("queue", "show", ONE).stdout
    assert "priority" not in ordinary
    assert "goes by" not in ordinary
    admin.shown.entry.priority, admin.shown.history[0].route = 7, "smtp to a.test, tls may"
    lines = mtactl("queue", "show", ONE).stdout.splitlines()
    assert "priority      7" in lines
    assert lines[lines.index("b@example.net: deferred") + 1] == (
        "  goes by smtp to a.test, tls may, as policy has chosen"
    )
    found = json.loads(mtactl("queue", "show", ONE, "--json").stdout)
    assert (found["priority"], [one["route"] for one in found["history"]]) == (7, ["smtp to a.test, tls may", ""])


def test_show_as_json(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.shown = shown()
    found = json.loads(mtactl("queue", "show", ONE, "--json").stdout)
    assert found["queue_id"] == ONE
    assert found["history"][0]["attempts"] == [
        {"at": 1.7e9, "node": 1, "result": "delayed", "next_hop": "mx.example.net", "reply": "451 busy"}
    ]
    assert "octets_base64" not in found
    admin.shown.octets = b"\xff"
    found = json.loads(mtactl("queue", "show", ONE, "--json", "--content").stdout)
    assert base64.b64decode(found["octets_base64"]) == b"\xff"


def test_show_writes_octets_as_they_are(admin: FakeAdmin, mtactl: Mtactl) -> None:
    admin.shown = shown()
    admin.shown.octets = b"Subject: \xff\x1b\r\n"
    assert mtactl("queue", "show", ONE, "--headers").stdout_bytes == b"Subject: \xff\x1b\r\n"
    assert admin.requests[-1] == pb.QueueShowRequest(queue_id=ONE, headers=True)


def test_show_of_what_is_not_queued(admin: FakeAdmin, mtactl: Mtactl) -> None:
    result = mtactl("queue", "show", NONE)
    assert (result.exit_code, result.stderr) == (1, f"mtactl: {NONE} is not in the queue\n")


def test_summary(queued: FakeAdmin, mtactl: Mtactl) -> None:
    titles, first, second = mtactl("queue", "summary").stdout.splitlines()
    assert titles.split()[:4] == ["DOMAIN", "MESSAGES", "TOTAL", "5"]
    assert first.split() == ["example.net", "1", "2", *"000020000", "0", "1", "h"]
    assert second.split()[:4] == ["example.com", "1", "1", "1"]
    found = [json.loads(line) for line in mtactl("queue", "summary", "--by", "sender", "--json").stdout.splitlines()]
    assert [(each["sender"], each["messages"], each["recipients"]) for each in found] == [
        ("a@example.org", 1, 2),
        ("MAILER-DAEMON", 1, 1),
    ]
    assert found[0]["recipients_by_age_minutes"]["80"] == 2
