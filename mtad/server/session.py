"""One SMTP conversation: what happens at each verb (RFC 5321 §4.1, RFC 1870, RFC 2034, RFC 2920, RFC 3030, RFC 3207).

No octets and no sockets: command lines in, steps out. The transaction stands in one slot; a command replaces the whole
value or leaves it as it was, so a fault in the middle of a command leaves nothing half done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from mtad.mail.envelope import Client, Recipient, Tls
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply, local_fault
from mtad.mail.verdict import Disposition, Verdict
from mtad.server.acceptance import Reader
from mtad.server.adding import Joining, emit_discarded, joined, opened
from mtad.server.authentication import AUTHENTICATED, Authentication, fault_of
from mtad.server.authentication import LINE_OCTETS_MAX as AUTH_OCTETS_MAX
from mtad.server.chunking import BAD_CHUNK, CHUNK_REFUSED, Chunk, parse_bdat
from mtad.server.collaborators import Policy
from mtad.server.content_verbs import MAIL_FIRST, Begun, begin_chunk, begin_data, brings_nothing
from mtad.server.envelope_verbs import TOO_MANY_RECIPIENTS, coming_of, envelope_of, hear_mail, hear_rcpt, hears_of
from mtad.server.fault import emit_fault
from mtad.server.framing import BadLine
from mtad.server.hearing import Hearing
from mtad.server.rates import Act
from mtad.server.reply_table import passed_on
from mtad.server.service import Service
from mtad.server.simple_verbs import NEEDS_ARGUMENT, NOT_IMPLEMENTED, OK, SIMPLE_VERBS, answer_unknown
from mtad.server.step import Step, Then, with_status
from mtad.server.transaction import Accepted, Transaction
from mtad.server.verb import Verb, argument_of

HELO_LENGTH_MAX = 255
PARAMETERS_OCTETS_MAX = 2048  # a path of up to 1024 octets, and 1012 that extensions add (RFC 3461, RFC 4954, RFC 6531)

_BLANKS = b" \t"  # tolerated at the end of a command line (RFC 5321 §4.1.1)

_BAD_LINE = {
    BadLine.TOO_LONG: Reply.of(500, "5.5.2", "Command line too long"),
    BadLine.BARE: Reply.of(500, "5.5.2", "Lines must end with CRLF"),
}
_SENDER_OK = Step(Reply.of(250, "2.1.0", "Sender ok"))
_RECIPIENT_OK = Step(Reply.of(250, "2.1.5", "Recipient ok"))
_START_TLS = Step(Reply.of(220, "2.0.0", "Ready to start TLS"), Then.TLS)
_NOT_TEXT = Step(Reply.of(501, "5.5.2", "Command is not text"))
AHEAD = Step(Reply.of(554, "5.5.0", "Client did not wait for its turn to speak"), Then.CLOSE)
_NO_ARGUMENT = Step(Reply.of(501, "5.5.4", "This command takes no argument"))
_TLS_ALREADY = Step(Reply.of(503, "5.5.1", "TLS is active already"))
_TOO_MANY_MESSAGES = Step(Reply.of(450, "4.7.1", "Too many messages from your network, try again later"))
_TOO_MANY_OF_NETWORK = Step(Reply.of(450, "4.7.1", "Too many recipients from your network, try again later"))
_TOO_MANY_ERRORS = Step(Reply.of(421, "4.7.0", "Too many errors"), Then.CLOSE)
_TOO_MANY_COMMANDS = Step(Reply.of(421, "4.7.0", "Too many commands without a message"), Then.CLOSE)


class Session:
    """One conversation with one client; STARTTLS begins another one."""

    __slots__ = (
        "_authentication",
        "_client",
        "_errors_count",
        "_greeted",
        "_idle_commands_count",
        "_is_trusted",
        "_messages_count",
        "_policy",
        "_service",
        "_transaction",
        "id",
    )

    def __init__(
        self, service: Service, client: Client, *, policy: Policy | None = None, is_trusted: bool = False
    ) -> None:
        self.id = service.next_id()
        self._service = service
        self._policy = policy or service.rooms.policy_now()
        self._client = self._greeted = client
        self._is_trusted = is_trusted
        self._errors_count = 0
        self._idle_commands_count = 0
        self._messages_count = 0
        self._transaction: Transaction | None = None
        self._authentication = Authentication(service, self.id, client)

    @property
    def client(self) -> Client:
        return self._client

    @property
    def transaction(self) -> Transaction | None:
        return self._transaction

    def over_tls(self, tls: Tls) -> Session:
        """Return the session that follows a TLS handshake (RFC 3207 §4.2)."""
        client = replace(self._greeted, is_tls=True, tls=tls)
        return self.anew(client, is_trusted=self._is_trusted)

    def anew(self, client: Client, *, is_trusted: bool = False) -> Session:
        """Return the session that follows when other facts of the client count; nothing said before does.

        A proxy that tells whom it speaks for (XCLIENT) begins one here, and is greeted again.
        """
        return type(self)(self._service, client, policy=self._policy, is_trusted=is_trusted)

    async def greeting(self) -> Step:
        """Return the first reply."""
        try:
            verdict = await self._asked(self._policy.connect(self._client))
            verdict = self._service.entrance.admit(self._client, verdict)
            self._client = self._greeted = _noting(self._client, verdict)
        except Exception:  # noqa: BLE001 - boundary of a session: whatever fails, the client may come again
            return replace(self._fault("connect"), then=Then.CLOSE)
        if verdict.reply is not None:
            return Step(self._refused("connect", verdict), Then.CLOSE)
        self._is_trusted = verdict.is_trusted and not self._service.entrance.is_submission  # there AUTH decides
        return Step(Reply.of(220, "", f"{self._service.hostname} {self._service.entrance.protocol} mtad"))

    async def command(self, line: bytes | BadLine, *, is_ahead: bool) -> Step | Chunk:
        """Carry out one command; a chunk that follows it is read to its end and given to `chunk`.

        line       without its CRLF, or what is wrong with it
        is_ahead   the client has sent more behind this line already
        """
        if self._authentication.is_under_way:
            return AHEAD if is_ahead else self._counted(await self._authenticate(self._authentication.go_on(line)))
        if isinstance(line, BadLine):
            return BAD_CHUNK if line is BadLine.CHUNK else self._counted(Step(_BAD_LINE[line]))
        name, _, octets = line.rstrip(_BLANKS).partition(b" ")
        verb = (LMTP_VERBS if self._service.entrance.is_lmtp else VERBS).get(name.upper())
        if verb is None:
            return BAD_CHUNK if name.upper().startswith(b"BDAT") else self._counted(answer_unknown(name.upper()))
        if len(line) + len(b"\r\n") > verb.octets_max:
            return self._counted(verb.unread(Step(_BAD_LINE[BadLine.TOO_LONG])))
        argument = argument_of(octets)
        if argument is None:
            return self._counted(verb.unread(_NOT_TEXT))
        if verb.is_last_in_group and is_ahead:
            return AHEAD
        if verb.is_idle and self._is_idle_for_too_long():
            return _TOO_MANY_COMMANDS
        try:
            step = await verb.act(self, argument)
        except Exception:  # noqa: BLE001 - boundary of a command: our fault is never the client's
            step = verb.unread(self._fault(name.decode("ascii")))
        return self._counted(step) if isinstance(step, Step) else step

    async def chunk(self, chunk: Chunk, hearing: Hearing) -> Step:
        """Answer a chunk that was read to its end; the last one ends the transaction, as one that is refused does."""
        transaction, reader = self._transaction, chunk.reader
        if chunk.refusal is not None and chunk.refusal.reply is CHUNK_REFUSED.reply:
            return chunk.refusal  # one error for all that was on its way already
        if chunk.refusal is not None or transaction is None or reader is None:
            return self._counted(chunk.refusal or MAIL_FIRST)
        if not chunk.size.is_last and not reader.is_spoilt:
            return Step(Reply.of(250, "2.0.0", f"{chunk.size.octets_count} octets received"))
        try:
            step = await self.content(reader, hearing)
        finally:
            reader.release()
            if not chunk.size.is_last:
                self._transaction = transaction.refused()
        return step if chunk.size.is_last else replace(step, said=())

    async def content(self, reader: Reader, hearing: Hearing) -> Step:
        """End the transaction with the content that was read, whatever it is, and return the final reply."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return self._counted(MAIL_FIRST)
        try:
            step = await self._service.acceptance.accept(transaction, reader, hearing, session_id=self.id)
        finally:
            self._policy.transaction_ended()
        if step.reply.is_positive:
            self._errors_count = self._idle_commands_count = 0
        return self._counted(step)

    async def drop(self) -> None:
        """Forget the transaction, if there is one, and tell the next hops so."""
        transaction, self._transaction = self._transaction, None
        self._policy.transaction_ended()
        if transaction is not None:
            await transaction.abort()

    def end(self) -> None:
        """Let go of what the session holds: its connection is gone, or about to go."""
        self._policy.session_ended()

    # The verbs.

    async def ehlo(self, argument: str) -> Step:
        return await self._hello(argument, is_esmtp=True)

    async def helo(self, argument: str) -> Step:
        return await self._hello(argument, is_esmtp=False)

    async def _hello(self, argument: str, *, is_esmtp: bool) -> Step:
        service = self._service
        if not argument:
            return NEEDS_ARGUMENT
        await self.drop()
        client = replace(self._client, helo=argument[:HELO_LENGTH_MAX], is_esmtp=is_esmtp)
        verdict = await self._asked(self._policy.ehlo(client))
        self._client = _noting(self._client, verdict)
        if verdict.reply is not None:
            return self._refusal("ehlo", verdict)
        self._client = _noting(client, verdict)
        lines = (service.hostname, *(service.extensions(client) if is_esmtp else ()))
        return Step(Reply.of(250, "", *lines))

    async def auth(self, argument: str) -> Step:
        return await self._authenticate(
            self._authentication.begin(self._client, argument, is_in_transaction=self._transaction is not None)
        )

    async def _authenticate(self, answering: Awaitable[Step | Client]) -> Step:
        """Take the client for who it shows to be, if it does and policy lets it in."""
        try:
            client = await answering
            if isinstance(client, Step):
                return client
            verdict = await self._asked(self._policy.auth(client))
            self._client = _noting(self._client, verdict)
        except Exception:  # noqa: BLE001 - boundary of a command: RFC 4954 has a code of its own for our faults
            return fault_of(self._fault("auth"))
        if verdict.reply is not None:
            return self._refusal("auth", verdict)
        self._client = _noting(client, verdict)
        self._is_trusted = self._is_trusted or verdict.is_trusted
        return AUTHENTICATED

    async def mail(self, argument: str) -> Step:
        service, client = self._service, self._client
        said = hear_mail(service, client, argument, is_in_transaction=self._transaction is not None)
        if isinstance(said, Step):
            return said
        if not self._may(Act.MESSAGE):
            return _TOO_MANY_MESSAGES
        envelope = envelope_of(service, client, said, is_trusted=self._is_trusted, number=self._messages_count + 1)
        verdict = await self._asked(self._policy.mail(envelope))
        envelope = envelope.noting(verdict.noted)
        if verdict.reverse_path is not None:
            envelope = replace(envelope, reverse_path=verdict.reverse_path, is_verp=verdict.is_verp)
        self._client = envelope.client
        if verdict.reply is not None:
            self._policy.transaction_ended()
            return self._refusal("mail", verdict)
        self._messages_count += 1
        hears = hears_of(service.entrance, said)
        self._transaction = Transaction(envelope, self._policy, hears=hears, said_path=said.path)
        return _positive(_SENDER_OK, verdict)

    async def rcpt(self, argument: str) -> Step:
        service, transaction = self._service, self._transaction
        if transaction is None:
            return MAIL_FIRST
        said = hear_rcpt(service, transaction, argument)
        if isinstance(said, Step):
            return said
        address = said.path
        named_before = transaction.named_before(address)
        if named_before is not None:
            self._transaction = transaction.naming(address, named_before)
            return _RECIPIENT_OK
        if not self._may(Act.RECIPIENT):
            return _TOO_MANY_OF_NETWORK
        verdict = await self._asked(self._policy.rcpt(transaction.envelope, address, said.request))
        self._transaction = transaction = transaction.noting(verdict.noted)
        self._client = transaction.envelope.client
        if verdict.reply is not None:
            return self._refusal("rcpt", verdict)
        coming_count = len(verdict.added) + (not verdict.is_discarded)
        if len(transaction.accepted) + coming_count > service.limits.session.recipients_max:
            return TOO_MANY_RECIPIENTS
        coming = coming_of(said, verdict)
        step = _RECIPIENT_OK
        if coming.recipient is None:
            self._transaction = transaction.discarding(address)
        else:
            step = await self._take_recipient(coming.recipient, address)
        if step is _RECIPIENT_OK and coming.added:
            await self._extend(coming.besides if self._drops(address) else coming.added)
        return _positive(step, verdict) if step is _RECIPIENT_OK else step

    async def _take_recipient(self, recipient: Recipient, written: str) -> Step:
        """Let a recipient's mail go where policy says, if its next hop takes it; `written`: as the client named it."""
        transaction = self._transaction
        if transaction is None:
            return MAIL_FIRST
        accepted_before = transaction.accepted_before(recipient.address)
        if accepted_before is not None:  # who has it by another name of his, too
            besides = transaction.asking_besides(accepted_before, recipient.request)
            self._transaction = besides.naming(written, accepted_before)
            return _RECIPIENT_OK
        disposition = await self._policy.deliver(transaction.envelope, recipient.address, recipient.notes)
        if disposition.is_discarded:
            emit_discarded(self._service.events, transaction, recipient.address)
            self._transaction = transaction.discarding(written)
            return _RECIPIENT_OK
        recipient = replace(
            recipient,
            route=disposition.route,
            queue_on_transient=disposition.queue_on_transient,
            queue_at_once=disposition.queue_at_once,
        )
        step = await self._add_recipient(transaction, recipient, disposition)
        if step is _RECIPIENT_OK and self._transaction is not None:
            self._transaction = self._transaction.naming(written, recipient.address)
        return step

    def _drops(self, written: str) -> bool:
        """Tell whether policy has dropped what was to be sent by a name that the client has a 250 for."""
        return self._transaction is not None and self._transaction.named_before(written) == ""

    async def _extend(self, coming: Sequence[Joining]) -> None:
        """Add the recipients that policy adds; a fault leaves it unknown who would get the message."""
        transaction = self._transaction
        if transaction is not None:
            self._transaction = replace(transaction, is_broken=True)
            self._transaction = await joined(transaction, coming, self._service.events)

    async def _add_recipient(self, transaction: Transaction, recipient: Recipient, disposition: Disposition) -> Step:
        """Ask the next hop unless the mail is to be queued at once; keep what it delays where policy says so."""
        outcome: Outcome | None = None
        if not disposition.queue_at_once:
            through = transaction.through or opened(self._service.rooms.delivery, transaction)
            self._transaction = transaction = transaction.asking(through)
            outcome = await through.recipient(recipient.address, recipient.route, recipient.request)
        keeps = disposition.queue_on_transient or transaction.envelope.is_submission
        if outcome is not None and not (outcome.result is Result.DELAYED and keeps):
            self._transaction = transaction.asked()
            self._service.events.emit(
                "recipient.refused",
                session=self.id,
                queue_id=transaction.queue_id,
                recipient=recipient.address,
                next_hop=outcome.next_hop,
                reply=str(outcome.reply),
            )
            return Step(with_status(passed_on(outcome)))
        self._transaction = transaction.with_recipient(Accepted.by(disposition, recipient, outcome))
        return _RECIPIENT_OK

    async def data(self, argument: str) -> Step | Chunk:
        return _NO_ARGUMENT if argument else await self._begin(begin_data(self._service, self._transaction))

    async def bdat(self, argument: str) -> Step | Chunk:
        size = parse_bdat(argument)
        if size is None:
            return BAD_CHUNK
        if brings_nothing(self._transaction, size) and self._is_idle_for_too_long():
            return _TOO_MANY_COMMANDS
        return await self._begin(begin_chunk(self._service, self._transaction, size))

    async def _begin(self, begun: Begun) -> Step | Chunk:
        before, self._transaction = self._transaction, begun.transaction
        if begun.transaction is None:
            self._policy.transaction_ended()
        if begun.is_aborted and before is not None:
            await before.abort()
        return begun.answer

    async def rset(self, argument: str) -> Step:
        if argument:
            return _NO_ARGUMENT
        await self.drop()
        return OK

    async def help(self, _argument: str) -> Step:
        return Step(Reply.of(214, "2.0.0", f"Commands: {' '.join(self._service.commands)}", "RFC 5321"))

    async def starttls(self, argument: str) -> Step:
        if argument:
            return _NO_ARGUMENT
        if not self._service.has_tls:
            return NOT_IMPLEMENTED
        return _TLS_ALREADY if self._client.is_tls else _START_TLS

    async def quit(self, argument: str) -> Step:
        if argument:
            return _NO_ARGUMENT
        return Step(Reply.of(221, "2.0.0", f"{self._service.hostname} closing connection"), Then.CLOSE)

    # What the verbs share.

    async def _asked(self, asking: Awaitable[Verdict]) -> Verdict:
        """Return the verdict, once it is time for the answer."""
        verdict = await asking
        if verdict.delay_seconds:
            await self._service.clock.sleep(verdict.delay_seconds)
        return verdict

    def _refused(self, stage: str, verdict: Verdict) -> Reply:
        reply = verdict.reply if verdict.reply is not None else local_fault(self.id)
        queue_id = self._transaction.queue_id if self._transaction is not None else ""
        self._service.events.emit(
            "policy.refused", session=self.id, queue_id=queue_id, stage=stage, reply=str(reply), why=verdict.log
        )
        return with_status(reply)

    def _refusal(self, stage: str, verdict: Verdict) -> Step:
        return Step(self._refused(stage, verdict), Then.CLOSE if verdict.is_disconnect else Then.COMMAND)

    def _is_idle_for_too_long(self) -> bool:
        """Count a command that brings no message closer."""
        self._idle_commands_count += 1
        return self._idle_commands_count > self._service.limits.session.idle_commands_max

    def _counted(self, step: Step) -> Step:
        """Return the step, or the end of the session when it is one refusal too many."""
        if not step.reply.is_permanent:
            return step
        self._errors_count += 1
        is_bearable = self._may(Act.ERROR) and self._errors_count < self._service.limits.session.errors_max
        if is_bearable:
            return step
        return replace(step, then=Then.CLOSE) if step.said else _TOO_MANY_ERRORS

    def _may(self, act: Act) -> bool:
        """Count an act against the client's network; False when it is one too many."""
        service = self._service
        if self._is_trusted or service.clients.may(act, self._client.address, service.clock.now()):
            return True
        service.events.emit("session.rate", level="warning", session=self.id, client=self._client.address, of=act)
        return False

    def _fault(self, stage: str) -> Step:
        """Log the exception that is being handled, and return the reply that says nothing of it."""
        trace = self._transaction.queue_id if self._transaction is not None else self.id
        emit_fault(self._service.events, session=self.id, trace=trace, stage=stage)
        return Step(local_fault(trace))


def _noting(client: Client, verdict: Verdict) -> Client:
    """Return the client with what the policy has noted of the session."""
    return client if verdict.noted is None else replace(client, notes=verdict.noted.session)


def _positive(step: Step, verdict: Verdict) -> Step:
    """Return the step with the text that policy wants in it."""
    return (
        replace(step, reply=replace(step.reply, lines=Reply.of(250, "", verdict.text).lines)) if verdict.text else step
    )


def _simple(answer: Callable[[str], Step]) -> Verb[Session]:
    async def act(_session: Session, argument: str) -> Step:
        return answer(argument)

    return Verb(act, is_idle=True)


VERBS: Mapping[bytes, Verb[Session]] = {
    b"EHLO": Verb(Session.ehlo, is_last_in_group=True, is_idle=True),
    b"HELO": Verb(Session.helo, is_last_in_group=True, is_idle=True),
    b"AUTH": Verb(Session.auth, is_last_in_group=True, is_idle=True, octets_max=AUTH_OCTETS_MAX),
    b"MAIL": Verb(Session.mail, octets_max=PARAMETERS_OCTETS_MAX),
    b"RCPT": Verb(Session.rcpt, octets_max=PARAMETERS_OCTETS_MAX),
    b"DATA": Verb(Session.data, is_last_in_group=True),
    b"BDAT": Verb(Session.bdat, is_before_octets=True),
    b"RSET": Verb(Session.rset, is_idle=True),
    b"HELP": Verb(Session.help, is_idle=True),
    b"QUIT": Verb(Session.quit),
    b"STARTTLS": Verb(Session.starttls, is_last_in_group=True),
    **{name: _simple(answer) for name, answer in SIMPLE_VERBS.items()},
}
_NOT_OF_LMTP = frozenset({b"EHLO", b"HELO", b"AUTH", b"HELP"})
LMTP_VERBS: Mapping[bytes, Verb[Session]] = {  # RFC 2033 §4.1
    b"LHLO": VERBS[b"EHLO"],
    **{name: verb for name, verb in VERBS.items() if name not in _NOT_OF_LMTP},
}
