"""What a listener takes clients in for: mail from other servers, or mail from users (RFC 6409, RFC 8314 §3.3)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entrance:
    """A kind of listener.

    name             as the policy sees it
    is_submission    only users come in: AUTH is offered there, and must come before MAIL
    is_tls_at_once   TLS comes before the greeting; elsewhere by STARTTLS
    """

    name: str
    is_submission: bool = False
    is_tls_at_once: bool = False


MX = Entrance("smtp")
SUBMISSION = Entrance("submission", is_submission=True)
SUBMISSIONS = Entrance("submission", is_submission=True, is_tls_at_once=True)
