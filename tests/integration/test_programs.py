"""A running node whose policy runs programs: real ones, and those that misbehave."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sending import next_hop, send
from tests.peers.mtad import MtadNode, policy_to, single
from tests.peers.process import open_folder

REQUIRE = '"variables", "ereject", "editheader", "vnd.dovecot.execute", "vnd.dovecot.filter", "vnd.mtad.verdict", '
EXECUTE = """
stage "rcpt" {
    if not execute "knows" "${envelope.to}" { ereject :enhanced "5.1.1" "User unknown"; }
}
stage "data" {
    if not execute :pipe :output "why" "looks" { ereject "${why}"; }
    execute :input "${why}" "notes" "kept";
}
"""
FILTER = """
stage "data" {
    addheader "X-Seen" "yes";
    if not filter "changes" "${envelope.from}" { addheader "X-Unchanged" "yes"; }
}
"""
PROGRAMS = {
    "changes": 'content=$(cat); case "$content" in *broken*) echo oops; exit 0;; *same*) exit 1;; esac; '
    'printf "X-Changed: for %s\\r\\n" "$1"; printf "%s\\n" "$content"',
    "knows": 'case "$1" in b@*|c@*) exit 0;; esac; exit 1',
    "looks": 'content=$(cat) || exit 75; echo "$SENDER"; case "$content" in *hang*) sleep 600;; '
    "*flood*) exec yes;; *crash*) kill -SEGV $$;; *fork*) sleep 600 & ;; *virus*) exit 1;; esac",
    "notes": 'read -r line; echo "$1 $line" >> "$(dirname "$0")/../notes"',
}


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder("programs") as around:
        found = around / "bin"
        found.mkdir()
        found.chmod(0o755)
        for name, text in PROGRAMS.items():
            (found / name).write_text(f"#!/bin/sh\n{text}\n")
            (found / name).chmod(stat.S_IRWXU)
        yield found


def policy(port: int, text: str) -> str:
    return policy_to(port).replace("[", f"[{REQUIRE}", 1) + text


def content_that_says(node: MtadNode, word: str) -> str:
    code, text = send(node, f"{word}\r\n".encode())
    return f"{code} {text}"


def test_a_policy_that_runs_programs(folder: Path) -> None:
    extra = {"programs": {"folder": str(folder), "timeout_seconds": 60}}
    with next_hop() as hop, single(policy(hop.port, EXECUTE), extra) as node:
        assert send(node, recipient="x@example.test") == (550, "5.1.1 User unknown")
        assert content_that_says(node, "hello").startswith("250 ")
        assert (folder.parent / "notes").read_text() == "kept a@mtad.test\n"
        assert content_that_says(node, "virus") == "550 5.7.1"
        for word in ("flood", "crash"):
            assert content_that_says(node, word).startswith("451 4.3.0 Local error, ref ")
        assert content_that_says(node, "fork").startswith("250 ")
        assert len(hop.taken) == 2
        log = node.log.read_text()
        for why in ("it wrote more than 65536 octets", "signal 11 has ended it"):
            assert f'event=program.failed program=looks why="{why}"' in log


def test_a_program_that_never_ends(folder: Path) -> None:
    extra = {"programs": {"folder": str(folder), "timeout_seconds": 0.5}}
    text = 'stage "data" { execute :pipe "looks"; }'
    with next_hop() as hop, single(policy(hop.port, text), extra) as node:
        assert content_that_says(node, "hang").startswith("451 4.3.0 Local error, ref ")
        assert 'event=program.failed program=looks why="it ran for more than 0.5 s"' in node.log.read_text()


def test_a_program_that_changes_messages(folder: Path) -> None:
    extra = {"programs": {"folder": str(folder), "timeout_seconds": 60}}
    with next_hop() as hop, single(policy(hop.port, FILTER), extra) as node:
        assert content_that_says(node, "hello").startswith("250 ")
        assert b"\r\nX-Changed: for a@mtad.test\r\nX-Seen: yes\r\nFrom: <a@mtad.test>\r\n" in hop.taken[0].content
        assert hop.taken[0].content.endswith(b"\r\n\r\nhello\r\n")
        assert content_that_says(node, "same").startswith("250 ")
        assert b"\r\nX-Unchanged: yes\r\nX-Seen: yes\r\n" in hop.taken[1].content
        assert content_that_says(node, "broken").startswith("451 4.3.0 Local error, ref ")
        assert "ScriptFailed: filter changes: it wrote no header section" in node.log.read_text()
        assert len(hop.taken) == 2


def test_a_policy_whose_program_is_not_there_is_not_loaded(folder: Path) -> None:
    extra = {"programs": {"folder": str(folder)}}
    with next_hop() as hop, single(policy(hop.port, EXECUTE), extra) as node:
        (folder / "knows").chmod(0o777)
        assert 'program "knows": others can change' in node.mtactl("reload", expect=None)
        assert send(node, recipient="b@example.test")[0] == 250
