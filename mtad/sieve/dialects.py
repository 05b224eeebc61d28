"""The languages that scripts are written in: which capabilities each kind of script has."""

from __future__ import annotations

from mtad.sieve import encoded_character
from mtad.sieve.capabilities.body import BODY
from mtad.sieve.capabilities.change_envelope import CHANGE_ENVELOPE
from mtad.sieve.capabilities.date import DATE
from mtad.sieve.capabilities.dns import DNS
from mtad.sieve.capabilities.duplicate import DUPLICATE
from mtad.sieve.capabilities.each_recipient import EACH_RECIPIENT
from mtad.sieve.capabilities.editheader import EDITHEADER
from mtad.sieve.capabilities.envelope import ENVELOPE, ENVELOPE_VARIABLES, WITH_ENVELOPE
from mtad.sieve.capabilities.environment import ENVIRONMENT, ENVIRONMENT_VARIABLES
from mtad.sieve.capabilities.fileinto import FILEINTO
from mtad.sieve.capabilities.ihave import IHAVE
from mtad.sieve.capabilities.include import GLOBAL, INCLUDE
from mtad.sieve.capabilities.limits import LIMITS
from mtad.sieve.capabilities.lists import DEFINED_MAPS, EXTLISTS
from mtad.sieve.capabilities.log import LOG
from mtad.sieve.capabilities.lookup import LOOKUP
from mtad.sieve.capabilities.mailauth import MAILAUTH
from mtad.sieve.capabilities.mapset import MAPSET
from mtad.sieve.capabilities.metric import METRIC
from mtad.sieve.capabilities.mime import MIME
from mtad.sieve.capabilities.programs import PROGRAMS
from mtad.sieve.capabilities.queue import QUEUE
from mtad.sieve.capabilities.redirect import REDIRECT
from mtad.sieve.capabilities.rfc5228 import RFC5228
from mtad.sieve.capabilities.route import ROUTE
from mtad.sieve.capabilities.scopes import SCOPES
from mtad.sieve.capabilities.score import SCORE, TOTAL
from mtad.sieve.capabilities.service import SCAN_VARIABLES, SERVICE
from mtad.sieve.capabilities.sign import SIGN
from mtad.sieve.capabilities.spamtest import SPAMTEST
from mtad.sieve.capabilities.stage import STAGE
from mtad.sieve.capabilities.validsender import VALIDSENDER
from mtad.sieve.capabilities.variables import VARIABLES
from mtad.sieve.capabilities.verdict import REJECT, VERDICT
from mtad.sieve.comparators import COMPARATORS
from mtad.sieve.language import SESSION_STAGES, Environment, Language

STAGES = (*SESSION_STAGES, "deliver", "queue")

_WITHOUT_ROWS = (encoded_character.CAPABILITY, *WITH_ENVELOPE, *(f"comparator-{name}" for name in COMPARATORS))
_AGENT = (Environment("name"), Environment("location"), Environment("phase"), Environment("remote-ip"))

_HOST = tuple(map(Environment, ("domain", "host", "version")))  # RFC 5183 §4.1

_NAMESPACES = (GLOBAL, ENVIRONMENT_VARIABLES, ENVELOPE_VARIABLES)
_BASE = RFC5228 + REDIRECT
_COMMON = _BASE + ENVELOPE + VARIABLES + BODY + MIME + DATE + ENVIRONMENT + REJECT + IHAVE + INCLUDE + EXTLISTS

_OUTSIDE = LOOKUP + MAPSET + VALIDSENDER + DEFINED_MAPS + DNS + LIMITS + MAILAUTH + SERVICE + PROGRAMS

PLAIN = Language(
    _COMMON + FILEINTO + EDITHEADER + DUPLICATE + SPAMTEST,
    environment=(*_AGENT, *_HOST, Environment("remote-host")),
    extra_capabilities=_WITHOUT_ROWS,
    namespaces=_NAMESPACES,
)
"""A script as every Sieve engine reads it."""

_CHANGES = EDITHEADER + CHANGE_ENVELOPE + SIGN

_OF_CONNECTION = ("listener", "local-ip", "local-port", "tls-version", "tls-cipher")

POLICY = Language(
    _COMMON
    + STAGE
    + EACH_RECIPIENT
    + VERDICT
    + ROUTE
    + QUEUE
    + LOG
    + METRIC
    + SCORE
    + DUPLICATE
    + SPAMTEST
    + _CHANGES
    + _OUTSIDE,
    environment=(
        *_AGENT,
        *_HOST,
        Environment("remote-host", is_asked=True),
        Environment("vnd.mtad.stage"),
        Environment("vnd.mtad.helo"),
        Environment("vnd.mtad.auth-user"),
        # what the queue does not keep must not steer where mail goes: it would go elsewhere at the next attempt
        *(Environment(f"vnd.mtad.{name}", SESSION_STAGES) for name in _OF_CONNECTION),
        Environment("vnd.mtad.auth-mech", ("auth", "mail", "rcpt", "data")),
        Environment("vnd.mtad.queue-id", ("mail", "rcpt", "data", "deliver", "queue")),
        Environment("vnd.mtad.msg-count", ("mail", "rcpt", "data")),
        Environment("vnd.mtad.rcpt-count", ("rcpt", "data")),
        *(Environment(f"vnd.mtad.last-{name}", ("queue",)) for name in ("code", "enhanced", "text", "host", "class")),
        Environment("vnd.mtad.attempts", ("queue",)),
        Environment("vnd.mtad.age", ("queue",)),
        Environment("vnd.mtad.queue-name", ("queue",)),
    ),
    extra_capabilities=_WITHOUT_ROWS,
    stages=STAGES,
    namespaces=(*SCOPES, SCAN_VARIABLES, *_NAMESPACES),
    computed=(TOTAL,),
)
"""A policy: stages of a session and of delivery."""
