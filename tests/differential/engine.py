"""What our engine does with a script and a message, in Pigeonhole's words."""

from __future__ import annotations

import re

from mtad.sieve.actions import Action, Discard, FileInto, Keep, Redirect, Refuse
from mtad.sieve.code import Plain
from mtad.sieve.dialects import PLAIN
from mtad.sieve.errors import SieveErrors
from mtad.sieve.language import OUTSIDE
from mtad.sieve.results import results
from mtad.sieve.run import Limits, Run, ScriptFailed
from mtad.sieve.script import compile_script
from tests.differential.messages import Mail
from tests.differential.pigeonhole import Outcome
from tests.fakes.sieve_facts import StillFacts

_SHOWN = re.compile(r"[\r\n\t]")  # as sieve-test prints them
_LIMITS = Limits(actions_max=10_000, redirects_max=100)


def play(script: str, mail: Mail) -> Outcome:
    """Return what comes of a script."""
    compiled = compile_script(script, "tests.sieve", PLAIN)
    if isinstance(compiled, SieveErrors):
        return ("refused",)
    code = compiled.stages[OUTSIDE]
    assert isinstance(code, Plain)
    run = Run(StillFacts(mail.content, {"from": [mail.sender], "to": [mail.recipient]}), _LIMITS)
    try:
        code.call(run)
    except ScriptFailed:
        return ("failed",)
    done = results(run.actions)
    return tuple(dict.fromkeys(map(_told, done)))


def why_refused(script: str) -> str:
    """Return what our compiler says of a script."""
    compiled = compile_script(script, "tests.sieve", PLAIN)
    return str(compiled) if isinstance(compiled, SieveErrors) else ""


def _told(action: Action) -> str:
    match action:
        case Keep():
            return "store message in folder: INBOX"
        case FileInto():
            return f"store message in folder: {_SHOWN.sub('?', action.mailbox)}"
        case Redirect():
            return f"redirect message to: <{action.address}>"
        case Discard():
            return "discard"
        case Refuse():
            return "reject message with reason: " + "??".join(action.reply.lines)
        case _:
            raise AssertionError(action)
