"""The client side of one SMTP or LMTP connection, without I/O: octets in, events out, octets to send.

RFC 5321, RFC 2033 (LMTP), RFC 2920 (PIPELINING), RFC 3030 (BDAT), draft-hall-prdr-00 (PRDR); how a connection opens:
mtad.delivery.opening; what the commands carry: mtad.delivery.client_commands. The caller asks (`begin`,
`recipient`, `data`, `end_of_data`, `reset`), writes what `to_send` gives, feeds what arrives to `receive`, and acts on
the events. Commands wait here until they may go out, so a caller need not know whether the peer offers PIPELINING.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mtad.delivery.client_commands import mail_command, objection, objection_to_time, rcpt_command, speaks_utf8
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
    Step,
)
from mtad.delivery.hop_limits import HopLimits
from mtad.delivery.opening import Command, Opening, Turn
from mtad.delivery.reply_parser import Broken, ReplyParser
from mtad.mail.dsn_request import NO_REQUEST, RecipientRequest
from mtad.mail.outcome import Outcome, Result, Success
from mtad.mail.reply import Reply
from mtad.mail.route import Transport

# RFC 2920 §3.1: these may be followed by others before their reply is there.
_MAY_BE_FOLLOWED = frozenset({Step.MAIL, Step.RCPT, Step.RSET})


@dataclass(slots=True)
class _Transaction:
    """What is open between MAIL and its end; dropped whole."""

    is_utf8: bool = False
    is_binary: bool = False
    may_differ: bool = False  # MAIL said PRDR, and no 353 has come yet
    is_traced: bool = False  # of its relay the sender is told, for it has named a time
    is_apart: bool = False  # 353 has come: a reply for each recipient, then one for the message
    undecided: dict[str, bool] = field(default_factory=dict)  # recipient -> was accepted; in the order asked
    mail_refusal: Reply | None = None
    is_data_asked: bool = False
    is_content_wanted: bool = False
    is_dot_sent: bool = False


class ClientProtocol:
    """One connection, from the banner on."""

    def __init__(self, greeting: Greeting) -> None:
        self._greeting = greeting
        self._opening = Opening(greeting)
        self._parser = ReplyParser()
        self._awaited: deque[tuple[Step, str]] = deque([(Step.BANNER, "")])
        self._unsent: deque[tuple[Step, str, bytes]] = deque()
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._transaction: _Transaction | None = None
        self._is_tls_awaited = False
        self._is_open = False
        self._is_dead = False
        self.is_sent_away = False  # by a 421 in answer to something
        self._answers_count = 0

    # What the caller may ask

    @property
    def awaited(self) -> Step | None:
        """What the next reply answers; None when nothing is awaited."""
        return self._awaited[0][0] if self._awaited else None

    @property
    def progress(self) -> tuple[int, int]:
        """Another value whenever a reply has become whole, or another one is awaited: parts of one are no progress."""
        return self._answers_count, len(self._awaited)

    @property
    def is_idle(self) -> bool:
        """Tell whether a transaction may begin."""
        return self._is_open and not self._is_dead and self._transaction is None and not self._awaited

    @property
    def is_dead(self) -> bool:
        """Tell whether the connection is of no use any more."""
        return self._is_dead

    @property
    def is_past_dot(self) -> bool:
        """Tell whether the final dot of the open transaction was sent."""
        return self._transaction is not None and self._transaction.is_dot_sent

    @property
    def recipients(self) -> tuple[str, ...]:
        """The recipients of the open transaction that are not settled, in the order asked."""
        return () if self._transaction is None else tuple(self._transaction.undecided)

    @property
    def is_tls(self) -> bool:
        """Tell whether the connection is encrypted."""
        return self._opening.is_tls

    @property
    def extensions(self) -> Mapping[str, str]:
        """What the peer offers: the parameters by the keyword, in upper case."""
        return self._opening.extensions

    @property
    def limits(self) -> HopLimits:
        """What the peer says that it takes at most."""
        return self._opening.limits

    def objection(self, mail: Mail) -> Reply | None:
        """Return why this message cannot go over this connection; None when it can."""
        is_mailbox, is_told = self._greeting.transport is Transport.LMTP, self._transaction is not None
        return objection(mail, self.extensions) or objection_to_time(
            mail, self.extensions, is_mailbox=is_mailbox, is_told=is_told
        )

    def to_send(self) -> bytes:
        """Take the octets that may be written now."""
        octets = b"".join(self._out)
        self._out.clear()
        return octets

    # What the caller tells; the events that follow are returned

    def tls_started(self) -> list[Event]:
        """Begin anew after the handshake: nothing that was said in clear text counts (RFC 3207 §4.2)."""
        if not self._parser.is_empty:
            return self.lost("talked before the TLS handshake")
        self._is_tls_awaited = False
        self._go_on(self._opening.tls_started())
        return self._take_events()

    def begin(self, mail: Mail) -> list[Event]:
        """Begin a transaction. Errors: ValueError for a reverse-path that may not be sent."""
        command = mail_command(mail, self.extensions)
        if command is None or not self.is_idle:
            raise ValueError("no transaction may begin")
        may_differ = "PRDR" in self.extensions
        by = mail.request.by
        is_traced = by is not None and (by.is_traced or "DELIVERBY" not in self.extensions)  # RFC 2852 §4.1.4
        self._transaction = _Transaction(speaks_utf8(mail, self.extensions), mail.is_binary, may_differ, is_traced)
        self._ask(Step.MAIL, "", command)
        return self._take_events()

    def recipient(self, address: str, request: RecipientRequest = NO_REQUEST) -> list[Event]:
        """Ask for a recipient. Errors: ValueError for an address that may not be sent, or outside a transaction."""
        if self._transaction is None or self._transaction.is_data_asked:
            raise ValueError("no recipient may be asked for")
        command = rcpt_command(address, request, self.extensions, is_utf8=self._transaction.is_utf8)
        if command is None:
            raise ValueError("no such recipient may be sent")
        self._transaction.undecided[address] = False
        refusal = self._transaction.mail_refusal or (command if isinstance(command, Reply) else None)
        if refusal is not None:
            self._settle([address], refusal, is_ours=self._transaction.mail_refusal is None)
        elif isinstance(command, bytes):
            self._ask(Step.RCPT, address, command)
        return self._take_events()

    def data(self, size_octets: int) -> list[Event]:
        """Ask to send a content of that size; binary content is one chunk, and its end another (RFC 3030 §3)."""
        if self._transaction is None:
            raise ValueError("no transaction is open")
        self._transaction.is_data_asked = True
        if self._transaction.is_binary:
            self._ask(Step.CHUNK, "", b"BDAT %d\r\n" % size_octets)
        else:
            self._ask(Step.DATA, "", b"DATA\r\n")
        return self._take_events()

    def end_of_data(self) -> list[Event]:
        """Send the final dot, or the last chunk: from here on a lost connection leaves the outcome unknown."""
        if self._transaction is None or not self._transaction.is_content_wanted:
            raise ValueError("no content is wanted")
        self._transaction.is_dot_sent = True
        self._out.append(b"BDAT 0 LAST\r\n" if self._transaction.is_binary else b".\r\n")
        if self._greeting.transport is Transport.LMTP:  # RFC 2033 §4.2: a reply for each accepted recipient
            self._awaited.extend((Step.DOT, address) for address in self._transaction.undecided)
        else:
            self._awaited.append((Step.DOT, ""))
        return self._take_events()

    def reset(self) -> list[Event]:
        """Give the transaction up, before DATA; `Ended` comes when the peer has answered."""
        if self._transaction is None or self._transaction.is_data_asked:
            raise ValueError("nothing can be reset")
        self._unsent.clear()
        self._transaction.undecided.clear()
        self._ask(Step.RSET, "", b"RSET\r\n")
        return self._take_events()

    def quit(self) -> None:
        """Take leave; the reply need not be waited for. Nothing may be asked after it."""
        self._is_dead = True
        self._out.append(b"QUIT\r\n")

    def receive(self, octets: bytes) -> list[Event]:
        """Take what arrived; return what follows from it, in order."""
        if self._is_dead:
            return []
        for answer in self._parser.feed(octets):
            if self._is_tls_awaited:  # CVE-2011-0411: what stands behind the 220 came in clear text
                self._events.clear()
                self._lose("talked before the TLS handshake")
            elif isinstance(answer, Broken):
                self._lose(answer.why)
            elif not self._awaited:
                self._unasked(answer)
            else:
                self._answered(answer)
            if self._is_dead:
                break
        return self._take_events()

    def lost(self, why: str) -> list[Event]:
        """Say that the connection is gone, or is given up; return what becomes of what was open."""
        if not self._is_dead:
            self._lose(why)
        return self._take_events()

    def abandon(self, reply: Reply) -> list[Event]:
        """Give connection and transaction up for our own reason, before the final dot; no other host is to be asked."""
        if self._transaction is not None:
            for address in self._transaction.undecided:
                outcome = Outcome(Result.DELAYED, reply, self._greeting.next_hop, is_ours=True)
                self._events.append(Settled(address, outcome))
            self._transaction.undecided.clear()
        return self.lost("given up")

    # What follows from a reply

    def _take_events(self) -> list[Event]:
        events = self._events
        self._events = []
        return events

    def _ask(self, step: Step, recipient: str, octets: bytes) -> None:
        self._unsent.append((step, recipient, octets))
        self._send_more()

    def _send_more(self) -> None:
        is_pipelining = "PIPELINING" in self.extensions
        while self._unsent and (not self._awaited or (is_pipelining and self._may_follow(self._unsent[0][0]))):
            step, recipient, octets = self._unsent.popleft()
            transaction = self._transaction
            is_content = step in (Step.DATA, Step.CHUNK)
            if is_content and not self._awaited and transaction is not None and not transaction.undecided:
                self._close_transaction()  # every recipient is refused already: nothing to send
                continue
            if step is Step.CHUNK and transaction is not None:  # no reply asks for its octets: they follow at once
                transaction.is_content_wanted = True
                self._events.append(ContentWanted())
            self._out.append(octets)
            self._awaited.append((step, recipient))

    def _may_follow(self, step: Step) -> bool:
        """Tell whether a step may be sent ahead; a chunk is sent to recipients that are known to be accepted."""
        return step is not Step.CHUNK and all(awaited in _MAY_BE_FOLLOWED for awaited, _ in self._awaited)

    def _answered(self, reply: Reply) -> None:
        step, recipient = self._awaited.popleft()
        self._answers_count += 1
        self.is_sent_away = reply.code == 421
        if reply.code == 421 and step is not Step.DOT:
            self._closing(step, reply)
            return
        turn = self._opening.answered(step, reply)
        act = _ACTS.get((step, reply.code // 100))
        if turn is not None:
            self._go_on(turn)
        elif act is not None:
            act(self, reply, recipient)
        else:
            self._lose(f"unexpected reply to {step}: {reply.code}")
            return
        if reply.code == 421 and not self._is_dead:
            self._lose("the next hop closes the connection")
        self._send_more()

    def _go_on(self, turn: Turn) -> None:
        """Go on with the opening of the connection."""
        if isinstance(turn, Command):
            self._ask(turn.step, "", turn.octets)
            return
        self._is_tls_awaited = isinstance(turn, StartTls)
        self._is_open = isinstance(turn, Opened)
        self._is_dead = isinstance(turn, NotOpened)
        self._events.append(turn)

    def _unasked(self, reply: Reply) -> None:
        """Handle a reply that nothing asked for: some refuse content before its end, then close."""
        transaction = self._transaction
        if transaction is not None and transaction.is_content_wanted and reply.code // 100 in (4, 5):
            self._settle_all(reply)
        self._lose(f"unexpected reply: {reply.code}")

    def _closing(self, step: Step, reply: Reply) -> None:
        """Handle 421 (RFC 5321 §3.8): nothing that is open will be answered any more."""
        if not self._is_open:
            self._events.append(self._opening.sent_away(step, reply))
        self._end(Outcome(Result.DELAYED, reply, self._greeting.next_hop))

    def _lose(self, why: str) -> None:
        reply = Reply.of(450, "4.4.2", f"Connection lost: {why}")
        if not self._is_open:
            self._events.append(NotOpened(reply, is_ours=True))
        is_unknown = self._transaction is not None and self._transaction.is_dot_sent
        result = Result.UNKNOWN if is_unknown else Result.DELAYED
        self._end(Outcome(result, reply, self._greeting.next_hop, is_ours=True))

    def _end(self, outcome: Outcome) -> None:
        self._is_dead = True
        self._awaited.clear()
        self._unsent.clear()
        self._out.clear()
        if self._transaction is not None:
            is_of_connection = outcome.result is Result.DELAYED
            for address in self._transaction.undecided:
                self._events.append(Settled(address, outcome, is_of_connection))
            self._transaction = None
            self._events.append(Ended(is_reusable=False))

    def _settle(self, addresses: list[str], reply: Reply, *, is_ours: bool = False) -> None:
        """Give these recipients the outcome that the reply says."""
        assert self._transaction is not None
        result = _RESULTS[reply.code // 100]
        success = self._success() if result is Result.DELIVERED else Success.TOLD
        outcome = Outcome(result, reply, self._greeting.next_hop, success, is_ours)
        for address in addresses:
            del self._transaction.undecided[address]
            self._events.append(Settled(address, outcome))

    def _success(self) -> Success:
        """Return what is left for us to tell of a delivery here: nothing where the request was passed on."""
        is_mailbox = self._greeting.transport is Transport.LMTP
        if self._transaction is not None and self._transaction.is_traced and not is_mailbox:
            return Success.TRACED
        if "DSN" in self.extensions:
            return Success.TOLD
        return Success.DELIVERED if is_mailbox else Success.RELAYED

    def _settle_all(self, reply: Reply) -> None:
        assert self._transaction is not None
        self._settle(list(self._transaction.undecided), reply)

    def _close_transaction(self) -> None:
        """End a transaction that the peer still holds open."""
        self._ask(Step.RSET, "", b"RSET\r\n")

    def _on_mail(self, reply: Reply, recipient: str) -> None:
        """Go on: the recipients' own replies decide."""

    def _on_mail_refused(self, reply: Reply, recipient: str) -> None:
        assert self._transaction is not None
        self._transaction.mail_refusal = reply
        self._settle_all(reply)

    def _on_rcpt(self, reply: Reply, recipient: str) -> None:
        transaction = self._transaction
        if transaction is None or recipient not in transaction.undecided:
            return  # MAIL was refused: this one is settled
        if reply.code // 100 == 2:
            transaction.undecided[recipient] = True
            self._events.append(Accepted(recipient))
        elif reply.code == 552:  # RFC 5321 §4.5.3.1.10: old servers' "too many recipients" is not permanent
            self._settle([recipient], Reply(452, reply.enhanced and "4.5.3", reply.lines))
        else:
            self._settle([recipient], reply)

    def _on_data(self, reply: Reply, recipient: str) -> None:
        assert self._transaction is not None
        if self._transaction.undecided:
            self._transaction.is_content_wanted = True
            self._events.append(ContentWanted())
        elif self._greeting.transport is Transport.LMTP:  # RFC 2033 §4.2: DATA must fail; no reply would follow the dot
            self._lose("content wanted for no recipient")
        else:  # RFC 2920 §3.1: a peer that wants content for nobody gets none
            self._out.append(b".\r\n")
            self._awaited.append((Step.DOT, ""))

    def _on_data_refused(self, reply: Reply, recipient: str) -> None:
        self._settle_all(reply)
        self._close_transaction()

    def _on_chunk(self, reply: Reply, recipient: str) -> None:
        """Go on: the reply to the last chunk decides."""

    def _on_chunk_refused(self, reply: Reply, recipient: str) -> None:
        self._settle_all(reply)
        self._lose("a chunk was refused")  # what is left of it may be on its way: nothing can follow

    def _on_dot_apart(self, reply: Reply, recipient: str) -> None:
        """Expect a reply for each recipient, and then one for the message (draft-hall-prdr-00 §4.5)."""
        transaction = self._transaction
        if transaction is None or not transaction.may_differ:
            self._lose(f"unexpected reply to {Step.DOT}: {reply.code}")
            return
        transaction.may_differ, transaction.is_apart = False, True
        self._awaited.extend((Step.DOT, address) for address in transaction.undecided)
        self._awaited.append((Step.DOT, ""))

    def _on_dot(self, reply: Reply, recipient: str) -> None:
        """Settle whom the reply is about; who is agreed to in PRDR is settled by the reply to the message."""
        assert self._transaction is not None
        if not recipient:
            self._settle_all(reply)
        elif not (self._transaction.is_apart and reply.is_positive):
            self._settle([recipient], reply)
        if not self._awaited:
            self._transaction = None
            is_reusable = reply.code != 421
            self._is_dead = not is_reusable
            self._events.append(Ended(is_reusable))

    def _on_rset(self, reply: Reply, recipient: str) -> None:
        self._transaction = None
        self._events.append(Ended(is_reusable=True))


_RESULTS = {2: Result.DELIVERED, 4: Result.DELAYED, 5: Result.FAILED}

_P = ClientProtocol
# What each answered step of a transaction leads to, by the first digit of the reply (RFC 5321 §4.2.1); others end it.
_ACTS: Mapping[tuple[Step, int], Callable[[ClientProtocol, Reply, str], None]] = {
    (Step.MAIL, 2): _P._on_mail,
    (Step.MAIL, 4): _P._on_mail_refused,
    (Step.MAIL, 5): _P._on_mail_refused,
    (Step.RCPT, 2): _P._on_rcpt,
    (Step.RCPT, 4): _P._on_rcpt,
    (Step.RCPT, 5): _P._on_rcpt,
    (Step.DATA, 3): _P._on_data,
    (Step.DATA, 4): _P._on_data_refused,
    (Step.DATA, 5): _P._on_data_refused,
    (Step.CHUNK, 2): _P._on_chunk,
    (Step.CHUNK, 4): _P._on_chunk_refused,
    (Step.CHUNK, 5): _P._on_chunk_refused,
    (Step.DOT, 2): _P._on_dot,
    (Step.DOT, 3): _P._on_dot_apart,
    (Step.DOT, 4): _P._on_dot,
    (Step.DOT, 5): _P._on_dot,
    (Step.RSET, 2): _P._on_rset,
}
