"""AUTH, from its command to its outcome (RFC 4954): what the mechanisms say, in the lines of SMTP.

It is offered where users come in, over TLS alone, once a session. A client hears neither whether a user exists nor why
it was refused, and each refusal comes later than the one before.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from mtad.mail.envelope import Client
from mtad.mail.reply import Reply
from mtad.mail.sasl import Authenticated, Challenge, Malformed, Rejected, Unavailable
from mtad.server.collaborators import Exchange
from mtad.server.framing import BadLine
from mtad.server.service import Service
from mtad.server.simple_verbs import NEEDS_ARGUMENT, NOT_IMPLEMENTED
from mtad.server.step import Step, Then

LINE_OCTETS_MAX = 12_288  # RFC 4954 §4, of a command and of a response

AUTHENTICATED = Step(Reply.of(235, "2.7.0", "Authentication succeeded"))
_EHLO_FIRST = Step(Reply.of(503, "5.5.1", "Send EHLO first"))
_TLS_FIRST = Step(Reply.of(538, "5.7.11", "Encryption required: send STARTTLS first"))
_IN_TRANSACTION = Step(Reply.of(503, "5.5.1", "AUTH is not allowed in a mail transaction"))
_ALREADY = Step(Reply.of(503, "5.5.1", "Authenticated already"))
_UNKNOWN_MECHANISM = Step(Reply.of(504, "5.5.4", "Mechanism not offered"))
_NOT_BASE64 = Step(Reply.of(501, "5.5.2", "Not in base64"))
_MALFORMED = Step(Reply.of(501, "5.5.2", "Not what the mechanism asks for"))
_CANCELLED = Step(Reply.of(501, "5.7.0", "Authentication cancelled"))
_REJECTED = Step(Reply.of(535, "5.7.8", "Authentication credentials invalid"))
_TOO_MANY_FAILURES = Step(Reply.of(421, "4.7.0", "Too many failed attempts"), Then.CLOSE)
_UNAVAILABLE = Step(Reply.of(454, "4.7.0", "Temporary authentication failure"))
_MAIL_WITHOUT_TLS = Step(Reply.of(530, "5.7.0", "Must issue a STARTTLS command first"))
_MAIL_WITHOUT_AUTH = Step(Reply.of(530, "5.7.0", "Authentication required"))
_BAD_LINES = {
    BadLine.TOO_LONG: Step(Reply.of(500, "5.5.6", "Authentication exchange line too long")),
    BadLine.BARE: Step(Reply.of(500, "5.5.2", "Lines must end with CRLF")),
}


def refusal_of_mail(service: Service, client: Client) -> Step | None:
    """Return what a client hears at MAIL that has not shown who it is, where it must (RFC 6409 §4.3)."""
    if not service.entrance.is_submission or client.identity:
        return None
    return _MAIL_WITHOUT_AUTH if client.is_tls else _MAIL_WITHOUT_TLS


def fault_of(step: Step) -> Step:
    """Return the answer to a fault of ours in AUTH, with the reference of the usual one."""
    return Step(replace(_UNAVAILABLE.reply, lines=step.reply.lines))


class Authentication:
    """The AUTH commands of one session."""

    __slots__ = ("_client", "_exchange", "_failures_count", "_mechanism", "_service", "_session_id")

    def __init__(self, service: Service, session_id: str, client: Client) -> None:
        self._service = service
        self._session_id = session_id
        self._client = client
        self._exchange: Exchange | None = None
        self._mechanism = ""
        self._failures_count = 0

    @property
    def is_under_way(self) -> bool:
        """Whether the client's next line is a response, not a command."""
        return self._exchange is not None

    def forget(self) -> None:
        """End the exchange."""
        self._exchange = None

    async def begin(self, client: Client, argument: str, *, is_in_transaction: bool) -> Step | Client:
        """Carry out AUTH; return the reply, or the client with the identity that it has shown."""
        authenticator = self._service.rooms.authenticator
        if authenticator is None or not self._service.entrance.is_submission:
            return NOT_IMPLEMENTED
        refusal = _refusal(client, is_in_transaction=is_in_transaction)
        if refusal is not None:
            return refusal
        name, _, initial = argument.partition(" ")
        if not name:
            return NEEDS_ARGUMENT
        self._mechanism = name.upper()
        if self._mechanism not in authenticator.mechanisms:
            return _UNKNOWN_MECHANISM
        response = None if not initial else b"" if initial == "=" else _decoded(initial.encode())
        if isinstance(response, Step):
            return response
        self._client = client
        self._exchange = authenticator.begin(self._mechanism, client)
        return await self._answered(self._exchange, response)

    async def go_on(self, line: bytes | BadLine) -> Step | Client:
        """Take a line that the client sends in an exchange, and return as `begin` does."""
        exchange, self._exchange = self._exchange, None
        if exchange is None or line == b"*":
            return _CANCELLED
        if isinstance(line, BadLine):
            return _BAD_LINES.get(line, _NOT_BASE64)
        response = _decoded(line)
        return response if isinstance(response, Step) else await self._answered(exchange, response)

    async def _answered(self, exchange: Exchange, response: bytes | None) -> Step | Client:
        self._exchange = None  # unless there is a further challenge; a fault ends the exchange too
        answer = await exchange.answer(response)
        if isinstance(answer, Challenge):
            self._exchange = exchange
            return Step(Reply(334, "", (base64.b64encode(answer.octets).decode(),)))
        if isinstance(answer, Authenticated):
            self._emit("auth.succeeded", user=answer.identity)
            return replace(self._client, identity=answer.identity, mechanism=self._mechanism)
        return await self._refused(answer)

    async def _refused(self, answer: Rejected | Malformed | Unavailable) -> Step:
        if isinstance(answer, Malformed):
            self._emit("auth.malformed", why=answer.why)
            return _MALFORMED
        if isinstance(answer, Unavailable):
            self._emit("auth.unavailable", why=answer.why)
            return _UNAVAILABLE
        service = self._service
        self._failures_count += 1
        delay = service.failed_attempts.add(self._client.address, service.clock.now())
        self._emit("auth.failed", user=answer.name, why=answer.why)
        await service.clock.sleep(delay)
        is_last = self._failures_count >= service.limits.session.auth_failures_max
        return _TOO_MANY_FAILURES if is_last else _REJECTED

    def _emit(self, name: str, *, user: str = "", why: str = "") -> None:
        service, address = self._service, self._client.address
        service.events.emit(
            name, session=self._session_id, client=address, mechanism=self._mechanism, user=user, why=why
        )


def _refusal(client: Client, *, is_in_transaction: bool) -> Step | None:
    """Return why a client may not authenticate now."""
    if not client.is_esmtp:
        return _EHLO_FIRST
    if not client.is_tls:
        return _TLS_FIRST
    if is_in_transaction:
        return _IN_TRANSACTION
    return _ALREADY if client.identity else None


def _decoded(text: bytes) -> bytes | Step:
    """Return the octets that a client wrote in base64."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return _NOT_BASE64
