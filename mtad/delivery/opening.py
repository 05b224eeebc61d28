"""How a connection to a next hop opens: what each reply leads to until a transaction may begin.

RFC 5321 §3.1 and §3.2, RFC 2033 §4.1 (LHLO), RFC 3207 (STARTTLS), RFC 9422 (LIMITS). Pure: a reply in, one turn out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mtad.delivery.client_events import Greeting, NotOpened, Opened, StartTls, Step
from mtad.delivery.hop_limits import NO_LIMITS, HopLimits, read_limits
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

    __slots__ = ("_greeting", "extensions", "is_tls", "limits")

    def __init__(self, greeting: Greeting) -> None:
        self._greeting = greeting
        self.is_tls = False
        self.extensions: dict[str, str] = {}
        self.limits: HopLimits = NO_LIMITS

    def answered(self, step: Step, reply: Reply) -> Turn | None:
        """Return what a reply leads to; None when it is none that may come, or no reply to a step from here."""
        act = _ACTS.get((step, reply.code // 100))
        return None if act is None else act(self, reply)

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
            return Opened()
        if "STARTTLS" in self.extensions:
            return Command(Step.STARTTLS, b"STARTTLS\r\n")
        return self._on_tls_refused(reply)

    def _on_ehlo_refused(self, reply: Reply) -> Turn:
        """Fall back to HELO (RFC 5321 §3.2), which LMTP does not have and which cannot lead to TLS."""
        if self._greeting.transport is Transport.LMTP or self._greeting.tls is TlsLevel.ENCRYPT or self.is_tls:
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
        return NotOpened(_NO_TLS, is_ours=True) if self._greeting.tls is TlsLevel.ENCRYPT else Opened()


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
}
