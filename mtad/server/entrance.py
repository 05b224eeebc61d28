"""What a listener takes clients in for: mail from other servers, from users (RFC 6409, RFC 8314 §3.3), or by LMTP."""

from __future__ import annotations

from dataclasses import dataclass

from mtad.mail.envelope import Client
from mtad.mail.reply import Reply
from mtad.mail.verdict import Verdict

_NO_LMTP = Verdict(Reply.of(554, "5.7.1", "LMTP is not spoken with you"), log="no trusted client, and LMTP")


@dataclass(frozen=True, slots=True)
class Entrance:
    """A kind of listener.

    name             as the policy sees it
    is_submission    only users come in: AUTH is offered there, and must come before MAIL
    is_tls_at_once   TLS comes before the greeting; elsewhere by STARTTLS
    is_lmtp          LHLO, and one reply for each recipient (RFC 2033)
    """

    name: str
    is_submission: bool = False
    is_tls_at_once: bool = False
    is_lmtp: bool = False

    @property
    def protocol(self) -> str:
        """What the greeting names."""
        return "LMTP" if self.is_lmtp else "ESMTP"

    def admit(self, client: Client, verdict: Verdict) -> Verdict:
        """Return policy's verdict on a client; LMTP is for those that it trusts, and for those on a Unix socket.

        LMTP is spoken inside a network (RFC 2033 §5): strangers come by SMTP, where all that is there to hold them off
        stands in their way.
        """
        is_in = not self.is_lmtp or not client.address or verdict.is_trusted or verdict.reply is not None
        return verdict if is_in else _NO_LMTP


MX = Entrance("smtp")
SUBMISSION = Entrance("submission", is_submission=True)
SUBMISSIONS = Entrance("submission", is_submission=True, is_tls_at_once=True)
LMTP = Entrance("lmtp", is_lmtp=True)
