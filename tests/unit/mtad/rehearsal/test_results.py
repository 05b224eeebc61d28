"""What comes of a result: mailboxes, sent messages, and how a test file reads them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from mtad.rehearsal.results import NAMES
from mtad.sieve.actions import Action, Discard, FileInto, Keep, Redirect, Refuse
from mtad.sieve.edits import AddField, DeleteFields
from tests.unit.mtad.rehearsal.files import failed, played

RUN = """
    if not test_script_compile "s.sieve" { test_fail "compile"; }
    if not test_script_run { test_fail "run"; }
    if not test_result_execute { test_fail "execute"; }
"""


def test_the_names_are_of_actions() -> None:
    assert set(NAMES) == {Keep, FileInto, Redirect, Discard, Refuse, AddField, DeleteFields}
    assert set(NAMES) <= set(get_args(Action))


@pytest.mark.parametrize(
    ("script", "there", "not_there"),
    [
        ("keep;", [':folder "INBOX" 0'], [':folder "INBOX" 1', ":smtp 0"]),
        ("stop;", [':folder "INBOX" 0'], [':folder "INBOX" 1']),
        ("discard;", [], [':folder "INBOX" 0', ":smtp 0"]),
        ('fileinto "a";', [':folder "a" 0'], [':folder "INBOX" 0', ':folder "a" 1']),
        ('fileinto :copy "a";', [':folder "a" 0', ':folder "INBOX" 0'], []),
        ('redirect "x@d.example"; redirect "y@d.example";', [":smtp 0", ":smtp 1"], [":smtp 2", ':folder "INBOX" 0']),
        ('ereject "no";', [":smtp 0"], [":smtp 1", ':folder "INBOX" 0']),
    ],
)
async def test_where_the_message_is(tmp_path: Path, script: str, there: list[str], not_there: list[str]) -> None:
    asked = "".join(f'if not test_message {which} {{ test_fail "missing: {at}"; }}' for at, which in enumerate(there))
    asked += "".join(f'if test_message {which} {{ test_fail "too many: {at}"; }}' for at, which in enumerate(not_there))
    text = f'test "a" {{ {RUN} {asked} }}'
    assert await failed(tmp_path, text, s=f'require ["fileinto", "copy", "ereject"]; {script}') == []


async def test_a_sent_message_brings_its_envelope(tmp_path: Path) -> None:
    text = f"""require "envelope"; test "a" {{ {RUN}
        test_message :smtp 0;
        if not envelope "from" "sender@example.com" {{ test_fail "from"; }}
        if not envelope "to" "x@d.example" {{ test_fail "to"; }}
        if not header "subject" "Frop!" {{ test_fail "subject"; }}
    }}"""
    assert await failed(tmp_path, text, s='redirect "x@d.example";') == []


async def test_a_rejection_goes_to_the_sender_and_to_nobody_when_there_is_none(tmp_path: Path) -> None:
    text = f"""require "envelope"; test "a" {{ {RUN}
        test_message :smtp 0;
        if not envelope "from" "" {{ test_fail "from"; }}
        if not envelope "to" "sender@example.com" {{ test_fail "to"; }}
        test_result_reset;
        test_set "envelope.from" "<>";
        {RUN}
        if test_message :smtp 0 {{ test_fail "to nobody"; }}
    }}"""
    assert await failed(tmp_path, text, s='require "ereject"; ereject "no";') == []


async def test_a_message_that_is_not_there_fails_the_test(tmp_path: Path) -> None:
    text = 'test "a" { test_message :smtp 0; } test "b" { test_message :folder "INBOX" 0; }'
    assert await failed(tmp_path, text) == ["no such message", "no such message"]


async def test_a_mailbox_may_be_made_and_is_empty(tmp_path: Path) -> None:
    text = """test "a" {
        test_mailbox_create "a";
        test_result_print;
        if test_message :folder "a" 0 { test_fail "not empty"; }
    }"""
    assert await failed(tmp_path, text) == []


async def test_annotations_are_not_available(tmp_path: Path) -> None:
    text = """test "a" { test_imap_metadata_set :mailbox "INBOX" "/shared/comment" "x"; test_fail "went on"; }
        test "b" { if false { test_imap_metadata_set "/private/vendor/a.b" ""; } }"""
    assert await failed(tmp_path, text) == ["annotations are not available: a relay keeps no mailboxes"]


@pytest.mark.parametrize(
    "name", ["comment", "/comment", "/shared", "/shared//a", "/public/a", "/shared/*", "/shared/ü"]
)
async def test_what_is_no_annotation(tmp_path: Path, name: str) -> None:
    report = await played(tmp_path, f'test "a" {{ test_imap_metadata_set "{name}" "x"; }}')
    assert len(report.errors) == 1
    assert f':2:35: "{name}" is no annotation: /private/NAME or /shared/NAME' in report.errors[0]


async def test_a_result_is_carried_out_once(tmp_path: Path) -> None:
    text = f"""test "a" {{ {RUN}
        if test_result_action :matches "*" {{ test_fail "still pending"; }}
        if not test_message :folder "a" 0 {{ test_fail "not there"; }}
    }}"""
    assert await failed(tmp_path, text, s='require "fileinto"; fileinto "a";') == []


async def test_each_action_takes_the_message_as_it_was_edited_by_then(tmp_path: Path) -> None:
    script = """require ["fileinto", "editheader"];
        fileinto "before"; addheader "X-A" "1"; addheader "X-A" "1"; fileinto "after"; deleteheader "Subject"; keep;"""
    text = f"""require ["relational", "comparator-i;ascii-numeric"]; test "a" {{ {RUN}
        test_message :folder "before" 0;
        if exists "X-A" {{ test_fail "before"; }}
        test_message :folder "after" 0;
        if not header :count "eq" "X-A" "2" {{ test_fail "after"; }}
        if not exists "subject" {{ test_fail "too much"; }}
        test_message :folder "INBOX" 0;
        if exists "subject" {{ test_fail "too little"; }}
    }}"""
    assert await failed(tmp_path, text, s=script) == []
