"""How a connection to a next hop opens: what each reply leads to until a transaction may begin.

RFC 5321 §3.1 and §3.2, RFC 2033 §4.1 (LHLO), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 9422 (LIMITS). Pure: a reply in,
one turn out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mtad.delivery.client_events import Greeting, NotOpened, Opened, StartTls, Step
from mtad.delivery.hop_limits import NO_LIMITS, HopLimits, read_limits
from mtad.delivery.login import Exchange
from mtad.mail.reply import Reply
from mtad.mail.route import TlsLevel, Transport

_NO_TLS = Reply.of(450, "4.7.4", "The next hop does not offer TLS, and the route wants it")
_LOOP = Reply.of(554, "5.4.6", "Mail for this domain loops back to us")


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be sent next, and its reply awaited."""

    step: Step
    octets: bytes


Turn = Command | StartTls | Opened | NotOpened


class Opening:
    """One connection until it is open, and what the peer offers on it from then on."""

    __slots__ = ("_exchange", "_greeting", "extensions", "is_tls", "limits")

    def __init__(self, greeting: Greeting) -> None:
        self._greeting = greeting
        self._exchange: Exchange | None = None
        self.is_tls = False
        self.extensions: dict[str, str] = {}
        self.limits: HopLimits = NO_LIMITS

    def answered(self, step: Step, reply: Reply) -> Turn | None:
        """Return what a reply leads to; None when it is none that may come, or no reply to a step from here."""
        act = _ACTS.get((step, reply.code // 100))
        return None if act is None else act(self, reply)

    def sent_away(self, step: Step, reply: Reply) -> NotOpened:
        """Return what a 421 leads to. Who was told the password may say it again: then, too, that is for our log."""
        return self._not_logged_in(str(reply)) if step is Step.AUTH else NotOpened(reply)

    def tls_started(self) -> Command:
        """Begin anew: nothing that was said in clear text counts (RFC 3207 §4.2)."""
        self.is_tls = True
        return self._say_ehlo()

    def _say_ehlo(self) -> Command:
        self.extensions = {}
        self.limits = NO_LIMITS
        verb = "LHLO" if self._greeting.transport is Transport.LMTP else "EHLO"
        return Command(Step.EHLO, f"{verb} {self._greeting.helo}\r\n".encode("ascii"))

    def _on_banner(self, reply: Reply) -> Turn:
        return self._say_ehlo()

    def _on_not_opened(self, reply: Reply) -> Turn:
        return NotOpened(reply)

    def _on_ehlo(self, reply: Reply) -> Turn:
        if self._is_us(reply):
            return NotOpened(_LOOP, is_us=True)
        words = (line.strip().partition(" ") for line in reply.lines[1:])
        self.extensions = {keyword.upper(): rest.strip() for keyword, _, rest in words}
        if self._greeting.transport is Transport.LMTP:  # which has a reply for each recipient anyhow
            self.extensions.pop("PRDR", None)
        self.limits = read_limits(self.extensions.get("LIMITS", ""))
        if self.is_tls or self._greeting.tls is TlsLevel.NONE:
            return self._served()
        if "STARTTLS" in self.extensions:
            return Command(Step.STARTTLS, b"STARTTLS\r\n")
        return self._on_tls_refused(reply)

    def _on_ehlo_refused(self, reply: Reply) -> Turn:
        """Fall back to HELO (RFC 5321 §3.2), which LMTP does not have and which cannot lead to TLS or AUTH."""
        is_needed = self._greeting.tls is TlsLevel.ENCRYPT or self.is_tls or self._greeting.login is not None
        if self._greeting.transport is Transport.LMTP or is_needed:
            return NotOpened(reply)
        return Command(Step.HELO, f"HELO {self._greeting.helo}\r\n".encode("ascii"))

    def _on_helo(self, reply: Reply) -> Turn:
        return NotOpened(_LOOP, is_us=True) if self._is_us(reply) else Opened()

    def _is_us(self, reply: Reply) -> bool:
        """Tell whether the peer gives itself our name: each session would open another one."""
        name = reply.lines[0].partition(" ")[0].lower()
        return bool(name) and name == self._greeting.own_name.lower()

    def _on_starttls(self, reply: Reply) -> Turn:
        return StartTls()

    def _on_tls_refused(self, reply: Reply) -> Turn:
        if self._greeting.tls is TlsLevel.ENCRYPT:
            return NotOpened(_NO_TLS, is_ours=True, why_no_login="no TLS" if self._greeting.login is not None else "")
        return self._served()

    def _served(self) -> Turn:
        """Log in where we are to; otherwise nothing is left to do."""
        login = self._greeting.login
        if login is None:
            return Opened()
        if not (self.is_tls or self._greeting.is_near):
            return self._not_logged_in("no TLS")
        offered = self.extensions.get("AUTH", "")
        self._exchange = login.begin(offered)
        if self._exchange is None:
            return self._not_logged_in(f"no mechanism that we have is offered: {offered or 'no AUTH at all'}")
        return Command(Step.AUTH, f"AUTH {self._exchange.mechanism}\r\n".encode("ascii"))

    def _on_challenge(self, reply: Reply) -> Turn:
        """Answer a challenge; one that cannot be answered ends the connection, for its server is none of ours."""
        try:
            challenge = base64.b64decode(reply.lines[0].strip(), validate=True)
        except (binascii.Error, ValueError):  # the other one of what is no ASCII
            challenge = None
        answer = None if self._exchange is None or challenge is None else self._exchange.answer(challenge)
        if answer is None:
            return self._not_logged_in("a challenge has no answer")
        return Command(Step.AUTH, base64.b64encode(answer) + b"\r\n")

    def _on_login(self, reply: Reply) -> Turn:
        if self._exchange is None or not self._exchange.is_complete:
            return self._not_logged_in("it says yes before it has shown who it is")
        return Opened()

    def _on_login_refused(self, reply: Reply) -> Turn:
        return self._not_logged_in(str(reply))

    def _not_logged_in(self, why: str) -> NotOpened:
        """Return that there is no login, which is no fault of the mail: it is temporary, whatever the peer says of it.

        What it says is for our log, and the password is not.
        """
        reply = Reply.of(450, "4.7.8", f"{self._greeting.next_hop} does not let us log in")
        by = f"{self._exchange.mechanism}: " if self._exchange is not None else ""
        hidden = why if self._greeting.login is None else self._greeting.login.hidden(why)
        return NotOpened(reply, is_ours=True, why_no_login=f"{by}{hidden}")


_O = Opening
# What each answered step leads to, by the first digit of the reply (RFC 5321 §4.2.1); any other digit ends it.
_ACTS: Mapping[tuple[Step, int], Callable[[Opening, Reply], Turn]] = {
    (Step.BANNER, 2): _O._on_banner,
    (Step.BANNER, 4): _O._on_not_opened,
    (Step.BANNER, 5): _O._on_not_opened,
    (Step.EHLO, 2): _O._on_ehlo,
    (Step.EHLO, 4): _O._on_not_opened,
    (Step.EHLO, 5): _O._on_ehlo_refused,
    (Step.HELO, 2): _O._on_helo,
    (Step.HELO, 4): _O._on_not_opened,
    (Step.HELO, 5): _O._on_not_opened,
    (Step.STARTTLS, 2): _O._on_starttls,
    (Step.STARTTLS, 4): _O._on_tls_refused,
    (Step.STARTTLS, 5): _O._on_tls_refused,
    (Step.AUTH, 2): _O._on_login,
    (Step.AUTH, 3): _O._on_challenge,
    (Step.AUTH, 4): _O._on_login_refused,
    (Step.AUTH, 5): _O._on_login_refused,
}
