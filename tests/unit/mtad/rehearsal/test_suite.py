"""vnd.dovecot.testsuite: how tests pass and fail, what they set, which scripts they play."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.rehearsal.report import CaseReport, Failure
from tests.unit.mtad.rehearsal.files import failed, played


async def test_a_test_passes_when_no_test_fail_is_reached(tmp_path: Path) -> None:
    report = await played(tmp_path, 'test "a" { if false { test_fail "no"; } }\ntest "b" { test_fail "yes"; }')
    file = str(tmp_path / "t.svtest")
    assert report.tests == (CaseReport("a", 2), CaseReport("b", 3, Failure(file, 3, "yes")))
    assert not report.is_good


async def test_test_fail_ends_its_test_alone(tmp_path: Path) -> None:
    text = 'test "a" { if true { test_fail "first"; } test_fail "second"; } test "b" { test_fail "third"; }'
    assert await failed(tmp_path, text) == ["first", "third"]


async def test_stop_ends_the_file_and_is_no_failure(tmp_path: Path) -> None:
    report = await played(tmp_path, 'test "a" { stop; test_fail "a"; } test "b" { test_fail "b"; }')
    assert [case.name for case in report.tests] == ["a"]
    assert report.is_good


async def test_a_failure_outside_of_all_tests_is_the_files(tmp_path: Path) -> None:
    report = await played(tmp_path, 'test "a" {} test_fail "outside"; test "b" {}')
    assert [case.name for case in report.tests] == ["a"]
    assert report.errors == (f"{tmp_path}/t.svtest:2: outside",)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('test "a" { test "b" {} }', ":2:1: a test holds no other test"),
        ('test "a" { if true { test "b" {} } }', ": a test holds no other test"),
        ('test "a" { if true { } else { test "b" {} } }', ": a test holds no other test"),
        ('test_set "moon" "full";', ':2:10: unknown fact "moon"'),
        ('test_config_set "moon" "full";', ':2:17: unknown setting "moon"'),
        ('test_config_unset "moon";', ':2:19: unknown setting "moon"'),
        ('test_config_set "sieve_max_actions" "-1";', ":2:37: sieve_max_actions must be a number"),
        ('test "a" { if test_error :index 0 "x" {} }', ":2:33: :index counts from 1"),
        ('test "a" { test_message 0; }', ":2:12: test_message needs :smtp or :folder"),
    ],
)
async def test_mistakes_in_a_test_file(tmp_path: Path, text: str, error: str) -> None:
    report = await played(tmp_path, text)
    assert len(report.errors) == 1
    assert error in report.errors[0]


async def test_a_file_that_tests_nothing_is_not_good(tmp_path: Path) -> None:
    assert not (await played(tmp_path, "keep;")).is_good


async def test_files_whose_tests_must_fail(tmp_path: Path) -> None:
    fails, passes = 'test "a" { test_fail "x"; }', 'test "b" { }'
    assert (await played(tmp_path, fails, must_fail=True)).is_good
    report = await played(tmp_path, fails + passes, must_fail=True)
    assert [case.name for case in report.tests if report.is_wrong(case)] == ["b"]


async def test_a_file_that_spends_too_much_is_told(tmp_path: Path) -> None:
    parts = message("Content-Type: multipart/mixed; boundary=b", *["", "--b", ""] * 101)
    text = f'require "foreverypart"; test "a" {{}} {parts} foreverypart {{ {"keep; " * 100} }}'
    assert (await played(tmp_path, text)).errors == (f"{tmp_path}/t.svtest: limit exceeded: actions",)


def message(*fields: str) -> str:
    lines = "\n".join(fields)
    return f'test_set "message" text:\n{lines}\n\nHello\n.\n;\n'


async def test_the_message_that_is_there_from_the_start(tmp_path: Path) -> None:
    text = """require "envelope"; test "a" {
        if not header "subject" "Frop!" { test_fail "subject"; }
        if not envelope "from" "sender@example.com" { test_fail "from"; }
        if not envelope "to" "recipient@example.org" { test_fail "to"; }
    }"""
    assert await failed(tmp_path, text) == []


@pytest.mark.parametrize(
    ("fields", "sender", "recipient"),
    [
        (("Return-Path: <r@d>", "Sender: s@d", "From: f@d", "Envelope-To: e@d", "To: t@d"), "r@d", "e@d"),
        (("Sender: s@d", "From: f@d", "To: t@d, u@d"), "s@d", "t@d"),
        (("From: F <f@d>",), "f@d", "recipient@example.com"),
        (("Subject: x",), "sender@example.com", "recipient@example.com"),
    ],
)
async def test_a_message_brings_its_envelope(
    tmp_path: Path, fields: tuple[str, ...], sender: str, recipient: str
) -> None:
    text = f"""require "envelope"; {message(*fields)} test "a" {{
        if not envelope :all "from" "{sender}" {{ test_fail "from"; }}
        if not envelope :all "to" "{recipient}" {{ test_fail "to"; }}
    }}"""
    assert await failed(tmp_path, text) == []


@pytest.mark.parametrize(
    ("given", "address"), [("<>", ""), ("<a@d>", "a@d"), ("a@d", "a@d"), ("no path at all", ""), ("", "")]
)
async def test_the_reverse_path_as_it_may_be_written(tmp_path: Path, given: str, address: str) -> None:
    text = f"""require "envelope"; test_set "envelope.from" "{given}";
        test "a" {{ if not envelope "from" "{address}" {{ test_fail "from"; }} }}"""
    assert await failed(tmp_path, text) == []


async def test_facts_of_the_envelope_and_the_environment(tmp_path: Path) -> None:
    text = """require ["envelope", "environment"];
        test_set "envelope.to" "a@d, b@d";
        test_set "environment.remote-ip" "203.0.113.9";
        test "a" {
            if not envelope :count "eq" :comparator "i;ascii-numeric" "to" "2" { test_fail "to"; }
            if not environment "remote-ip" "203.0.113.9" { test_fail "address"; }
            if not environment "location" "MTA" { test_fail "location"; }
        }"""
    assert await failed(tmp_path, text) == []


async def test_a_script_is_played_on_the_message(tmp_path: Path) -> None:
    text = f"""{message("Subject: yes")} test "a" {{
        if test_script_run {{ test_fail "ran before it was compiled"; }}
        if not test_script_compile "s.sieve" {{ test_fail "compile"; }}
        if not test_script_run {{ test_fail "run"; }}
        if not test_result_action "discard" {{ test_fail "discard"; }}
        {message("Subject: no")}
        if not test_script_run {{ test_fail "second run"; }}
        if not test_result_action "keep" {{ test_fail "keep"; }}
        if test_result_action "discard" {{ test_fail "the first result is there still"; }}
    }}"""
    assert await failed(tmp_path, text, s='if header "subject" "yes" { discard; } else { keep; }') == []


async def test_results_can_be_gathered(tmp_path: Path) -> None:
    text = """test "a" {
        if not test_script_compile "a.sieve" { test_fail "a"; }
        if not test_script_run { test_fail "run a"; }
        if not test_script_compile "b.sieve" { test_fail "b"; }
        if not test_script_run :append_result { test_fail "run b"; }
        if not test_result_action :index 1 "discard" { test_fail "first"; }
        if not test_result_action :index 2 "redirect" { test_fail "second"; }
        if test_result_action :index 3 :matches "*" { test_fail "third"; }
        test_result_reset;
        if test_result_action :matches "*" { test_fail "reset"; }
    }"""
    assert await failed(tmp_path, text, a="discard;", b='redirect "a@d.example";') == []


async def test_errors_of_a_script_can_be_asked_for(tmp_path: Path) -> None:
    text = """test "a" {
        if test_script_compile "s.sieve" { test_fail "compiled"; }
        if not test_error :count "eq" :comparator "i;ascii-numeric" "2" { test_fail "count"; }
        if not test_error :index 1 :contains "frob" { test_fail "first"; }
        if not test_error :index 2 :contains "quux" { test_fail "second"; }
        if test_error :matches "*:1:*" { test_fail "with its place"; }
        if not test_script_compile "good.sieve" { test_fail "good"; }
        if test_error :matches "*" { test_fail "an old error"; }
        if test_script_compile "none.sieve" { test_fail "none"; }
        if not test_error :contains "cannot be read" { test_fail "not read"; }
    }"""
    assert await failed(tmp_path, text, s="frob; quux;", good="keep;") == []


async def test_a_setting_is_in_force_from_the_reload_on(tmp_path: Path) -> None:
    text = """test "a" {
        test_config_set "sieve_max_actions" "1";
        if not test_script_compile "s.sieve" { test_fail "compile"; }
        if not test_script_run { test_fail "before the reload"; }
        test_config_reload;
        if test_script_run { test_fail "after the reload"; }
        if not test_error "limit exceeded: actions" { test_fail "error"; }
        test_config_unset "sieve_max_actions";
        test_config_reload :extension "fileinto";
        if not test_script_run { test_fail "after it was taken back"; }
    }"""
    script = 'require "fileinto"; fileinto "a"; fileinto "b";'
    assert await failed(tmp_path, text, s=script) == []


async def test_a_compiled_script_can_be_put_aside(tmp_path: Path) -> None:
    text = """test "a" {
        if not test_script_compile "s.sieve" { test_fail "compile"; }
        test_binary_save "one";
        if not test_script_compile "t.sieve" { test_fail "compile"; }
        test_binary_load "one";
        if not test_script_run { test_fail "run"; }
        if not test_result_action "discard" { test_fail "not the first"; }
        test_binary_load "two";
        if test_script_run { test_fail "there is no second"; }
    }"""
    assert await failed(tmp_path, text, s="discard;", t="keep;") == []


async def test_the_clock_stands_where_it_was_set(tmp_path: Path) -> None:
    text = """require "date"; test "a" {
        test_set "currentdate" "2024-02-29T23:59:59+01:00";
        if not currentdate :zone "+0000" "iso8601" "2024-02-29T22:59:59Z" { test_fail "here"; }
        if not test_script_compile "s.sieve" { test_fail "compile"; }
        if not test_script_run { test_fail "run"; }
        if not test_result_action "discard" { test_fail "there"; }
    }"""
    script = 'require "date"; if currentdate :originalzone "hour" "23" { discard; }'
    assert await failed(tmp_path, text, s=script.replace(":originalzone ", "")) == []


@pytest.mark.parametrize("value", ["DELAYED", "NEVER,DELAY", "UNSAID"])
async def test_a_sender_asks_in_a_test_for_what_it_may_ask_rcpt(tmp_path: Path, value: str) -> None:
    (found,) = await failed(tmp_path, f'test "a" {{ test_set "envelope.notify" "{value}"; }}')
    assert f"{value!r} is neither NEVER nor a list" in str(found)


@pytest.mark.parametrize(("value", "reason"), [("noon", "noon"), ("2024-02-29T12:00:00", "has no zone")])
async def test_what_is_no_time_fails_the_test(tmp_path: Path, value: str, reason: str) -> None:
    (found,) = await failed(tmp_path, f'test "a" {{ test_set "currentdate" "{value}"; }}')
    assert reason in found


async def test_variables_live_as_long_as_the_file(tmp_path: Path) -> None:
    text = """require ["variables", "environment"];
        test "a" { set "word" "lottery"; }
        test "b" {
            test_set "message" "Subject: ${word}\r\n\r\n";
            test_set "environment.remote-ip" "${word}";
            if not header "subject" "lottery" { test_fail "subject"; }
            if not environment "remote-ip" "lottery" { test_fail "address"; }
            if not test_script_compile "${tst.path}/s.sieve" { test_fail "compile"; }
            if not string "${tst.moon}" "" { test_fail "moon"; }
            test_fail "said: ${word}";
        }"""
    assert await failed(tmp_path, text, s="keep;") == ["said: lottery"]


async def test_a_long_message_is_not_cut(tmp_path: Path) -> None:
    text = 'require "variables"; set "x" "y"; test_set "message" "X: ${x}\r\n\r\n' + "z" * 9000 + '";'
    assert await failed(tmp_path, text + 'test "a" { if size :under 9000 { test_fail "cut"; } }') == []


async def test_scripts_that_are_included_stand_below(tmp_path: Path) -> None:
    for folder in ("included", "included-global"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.sieve").write_text("discard;" if folder == "included" else "keep;")
    text = """test "a" {
        if not test_script_compile "s.sieve" { test_fail "compile"; }
        if not test_script_run { test_fail "run"; }
        if not test_result_action :index 1 "discard" { test_fail "personal"; }
        if not test_result_action :index 2 "keep" { test_fail "global"; }
    }"""
    script = 'require "include"; include :personal "x"; include :global "x";'
    assert await failed(tmp_path, text, s=script) == []


async def test_a_new_message_has_none_of_the_old_ones_edits(tmp_path: Path) -> None:
    text = """require "editheader"; test "a" {
        addheader "X-A" "1";
        if not exists "x-a" { test_fail "not edited"; }
        test_set "message" "Subject: new";
        if exists "x-a" { test_fail "still edited"; }
    }"""
    assert await failed(tmp_path, text) == []


SEQUENCES = [
    (("", ""), {"INBOX": 1}),
    (("keep;", "keep;"), {"INBOX": 1}),
    (("keep;", "discard;"), {}),
    (('fileinto "a";', 'fileinto "b";'), {"a": 1}),
    (('fileinto :copy "a";', 'fileinto "b";'), {"a": 1, "b": 1}),
    (('fileinto "a"; keep;', 'fileinto "b";'), {"a": 1, "b": 1}),
    (("discard;", "keep;"), {}),
    (('addheader "x" "1";', 'if exists "x" { fileinto "changed"; }'), {"changed": 1}),
]


@pytest.mark.parametrize(("scripts", "stored"), SEQUENCES)
async def test_scripts_in_sequence(tmp_path: Path, scripts: tuple[str, str], stored: dict[str, int]) -> None:
    """Each is run on what the one before has kept, and what all of them decided is carried out."""
    head = 'require ["fileinto", "copy", "editheader"];\n'
    one, two = (head + script for script in scripts)
    looks = "".join(
        f'if {"" if name in stored else "not "}test_message :folder "{name}" 0 {{}} else {{ test_fail "{name}"; }}\n'
        for name in ("INBOX", "a", "b", "changed")
    )
    more = "".join(
        f'if test_message :folder "{name}" {count} {{ test_fail "{name} twice"; }}' for name, count in stored.items()
    )
    text = f'test "t" {{ if not test_multiscript ["one.sieve", "two.sieve"] {{ test_fail "failed"; }} {looks} {more} }}'
    assert await failed(tmp_path, text, one=one, two=two) == []


@pytest.mark.parametrize("broken", ["frob;", 'require "ihave"; error "no";'])
async def test_a_script_of_a_sequence_that_fails_ends_it_and_keeps_the_message(tmp_path: Path, broken: str) -> None:
    text = """test "t" {
        if test_multiscript ["one.sieve", "two.sieve", "three.sieve"] { test_fail "no error"; }
        if not test_error :matches "*" { test_fail "which"; }
        if not test_message :folder "a" 0 { test_fail "not filed"; }
        if not test_message :folder "INBOX" 0 { test_fail "not kept"; }
    }"""
    one, three = 'require ["fileinto", "copy"]; fileinto :copy "a";', "discard;"
    assert await failed(tmp_path, text, one=one, two=broken, three=three) == []
