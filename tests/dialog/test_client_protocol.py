"""Dialogs of the client protocol, read from `client/*.txt`, with the peer's octets whole and one at a time.

Lines of a dialog:
  ? key=value ...   the greeting: transport, tls, own, login (of alice, by this mechanism or any), near
  S: / S\\           what the peer sends, with CRLF / without a line end
  C:                what we must have written since the last C, line by line
  !                 what the caller asks: mail, rcpt, data, content, reset, quit, abandon, tls, lost
  =                 the next event
  #                 a remark
"""

from __future__ import annotations

import shlex
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mtad.delivery.client_events import (
    Accepted,
    ContentWanted,
    Ended,
    Event,
    Greeting,
    Mail,
    NotOpened,
    Opened,
    Settled,
    StartTls,
)
from mtad.delivery.client_protocol import ClientProtocol
from mtad.delivery.login import Login
from mtad.mail.dsn_request import MessageRequest, Notify, RecipientRequest, Return, read_notify
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel, Transport

DIALOGS = sorted((Path(__file__).parent / "client").glob("*.txt"))

_SHOWN: Mapping[type[Any], Callable[[Any], str]] = {
    Opened: lambda event: "opened",
    NotOpened: lambda event: f"not opened: {event.reply}" + (f" ({event.why_no_login})" if event.why_no_login else ""),
    StartTls: lambda event: "handshake",
    Accepted: lambda event: f"accepted {event.recipient}",
    Settled: lambda event: (
        f"{event.recipient} {event.outcome.result}: {event.outcome.reply}"
        + (" (connection)" if event.is_of_connection else "")
    ),
    ContentWanted: lambda event: "content wanted",
    Ended: lambda event: "ended" if event.is_reusable else "ended, closed",
}


class Dialog:
    """Plays one dialog."""

    def __init__(self, chunk_octets: int) -> None:
        self._chunk_octets = chunk_octets
        self._core = ClientProtocol(Greeting("us.test"))
        self._told_of_success: set[str] = set()
        self._events: list[str] = []
        self._written: list[str] = []

    def play(self, text: str) -> None:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        if lines[0].startswith("?"):
            self._greet(lines.pop(0)[1:])
        sent = b""
        for line in lines:
            mark, rest = line[:2], line[3:]
            if sent and mark not in ("S:", "S\\"):
                self._feed(sent)
                sent = b""
            if mark == "S:":
                sent += rest.encode() + b"\r\n"
            elif mark == "S\\":
                sent += rest.encode()
            elif mark == "C:":
                self._collect()
                assert self._written, f"nothing was written where {line!r} was due"
                assert self._written.pop(0) == rest
            elif mark == "= ":
                assert self._events, f"no event where {line!r} was due"
                assert self._events.pop(0) == line[2:]
            else:
                self._ask(*shlex.split(line[2:]))
        if sent:
            self._feed(sent)
        self._collect()
        assert (self._events, self._written) == ([], [])

    def _greet(self, text: str) -> None:
        words = dict(word.split("=") for word in text.split())
        transport = Transport(words.get("transport", "smtp"))
        tls = TlsLevel(words.get("tls", "none"))
        greeting = Greeting("us.test", transport, tls, next_hop="mx.test", own_name=words.get("own", ""))
        if "login" in words:
            mechanism = "" if words["login"] == "any" else words["login"]
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            login = Login("alice", "pencil", context, mechanism=mechanism, nonce=lambda: "abc")
            greeting = replace(greeting, login=login, is_near="near" in words)
        self._core = ClientProtocol(greeting)

    def _feed(self, octets: bytes) -> None:
        for start in range(0, len(octets), self._chunk_octets):
            self._note(self._core.receive(octets[start : start + self._chunk_octets]))
            self._collect()

    def _collect(self) -> None:
        written = self._core.to_send().decode()
        assert not written or written.endswith("\r\n")
        self._written += written.split("\r\n")[:-1]

    def _note(self, events: list[Event]) -> None:
        self._events += [_SHOWN[type(event)](event) + self._duty(event) for event in events]

    def _duty(self, event: Event) -> str:
        """Return what is left for us to tell of a success, where the sender asked for that."""
        if not isinstance(event, Settled) or event.recipient not in self._told_of_success:
            return ""
        return f" ({event.outcome.success})" if event.outcome.success else ""

    def _ask(self, verb: str, *words: str) -> None:
        if verb == "mail":
            said = _said(words[1:])
            request = MessageRequest(Return(said.get("ret", "")), said.get("envid", ""))
            size_octets, is_binary = int(said.get("size", 0)), "binary" in said
            mail = Mail(words[0].strip("<>"), "8bit" in said, "utf8" in said, size_octets, request, is_binary)
            mail = replace(mail, has_utf8_fields="fields" in said)
            objection = self._core.objection(mail)
            if objection is not None:
                self._events.append(f"objection: {objection}")
            else:
                self._note(self._core.begin(mail))
        elif verb == "rcpt":
            said = _said(words[1:])
            notify = read_notify(said["notify"]) if "notify" in said else Notify.UNSAID
            assert notify is not None
            if Notify.SUCCESS in notify:
                self._told_of_success.add(words[0])
            self._note(self._core.recipient(words[0], RecipientRequest(notify, said.get("orcpt", ""))))
        elif verb == "abandon":
            self._note(self._core.abandon(Reply.of(451, "4.3.2", "Stopped")))
        elif verb == "lost":
            self._note(self._core.lost("closed"))
        elif verb == "quit":
            self._core.quit()
        else:
            acts: Mapping[str, Callable[[], list[Event]]] = {
                "data": lambda: self._core.data(int(words[0]) if words else 0),
                "dot": self._core.end_of_data,
                "reset": self._core.reset,
                "tls": self._core.tls_started,
            }
            self._note(acts[verb]())


def _said(words: Sequence[str]) -> dict[str, str]:
    """Return flags and key=value words by their names."""
    return {name: value for name, _, value in (word.partition("=") for word in words)}


@pytest.mark.parametrize("path", DIALOGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("chunk_octets", [1, 100000], ids=["octet by octet", "whole"])
def test_dialog(path: Path, chunk_octets: int) -> None:
    Dialog(chunk_octets).play(path.read_text())


def test_there_are_dialogs() -> None:
    assert len(DIALOGS) > 25


def test_a_dialog_can_fail() -> None:
    with pytest.raises(AssertionError, match="nothing was written"):
        Dialog(1).play("S: 220 hi\nC: EHLO us.test\nC: HELO us.test")
    with pytest.raises(AssertionError, match="no event"):
        Dialog(1).play("S: 220 hi\n= opened")
