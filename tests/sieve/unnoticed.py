"""Planted faults that the test files cannot notice, each with the reason: they are not planted.

Some change nothing that a script could see, and unit tests see them; some change nothing at all.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Known(NamedTuple):
    """Faults of one kind.

    path    below mtad/sieve: a pattern of the whole of it
    line    a pattern that is found in the line
    fault   a pattern of the whole of what is planted
    """

    why: str
    path: str = ".*"
    line: str = ""
    fault: str = ".*"

    def tells(self, path: str, line: str, fault: str) -> bool:
        """Tell whether a fault is of this kind."""
        return bool(re.fullmatch(self.path, path) and re.search(self.line, line) and re.fullmatch(self.fault, fault))


_PLACE = "where a mistake stands is no part of what a test file sees of it: unit tests see line and column"
_LIMIT = "how much there may be at most: unit tests fill it"
_SHOWN = "how much of a text a mistake shows: nothing depends on it"
_COST = "what something costs: tests/unit/mtad/sieve/test_weights.py, test_effort.py, test_hostile.py"
_TOLD = "what is told to who listens to a script: tests/unit/mtad/rehearsal/test_trace.py"

KNOWN = (
    Known("they write pages, and no script runs through them", path=r"reference(_table)?\.py"),
    Known(_COST, path=r"(weights|effort)\.py"),
    Known(_COST, line=r"\.spend\("),
    Known(_COST, line=r"^_(NETWORK|COUNTED|CHANGED|ENTITY|NODES) = "),
    Known(_COST, "capabilities/lists.py", r"^_GROUP = |_Kind\(lambda"),
    Known(_COST, "(errors|lexer|script).py", r"effort\.left|effort or Effort\(\)"),
    Known(_COST, "language.py", r"sum\(\[test.nodes"),
    Known(_LIMIT, line=r"^_?[A-Z_, ]*_MAX(: int)? = |^\w+_max: int = |LINE_LENGTH = |_LENGTH = "),
    Known(_LIMIT, "run.py", r"if self._nodes_left < 0:", "0 made 1"),
    Known(_LIMIT, "run.py", r"_recipients_added_count (\+)?= "),
    Known(_LIMIT, "mime.py", r"len\(parts\) < PARTS_MAX - 1", "1 made 2"),
    Known(_LIMIT, "message.py", r"depth: int = 0|self._depth \+ 1", r"\d made \d"),
    Known(_LIMIT, "(allowance|mime).py", r"Share\.[A-Z_]+(:|, 1\))", r"\d+ made \d+"),
    Known(_LIMIT, "comments.py", r"range\(nesting - 1\)", "1 made 2"),
    Known(_LIMIT, "encoded_word.py", r"return _WIDE\.match"),
    Known(_LIMIT, "capabilities/variables.py", r"if not is_length:"),
    Known(_LIMIT, "template.py", r"if left <= 0:", "0 made 1"),
    Known(_LIMIT, "edits.py", r"value.isascii\(\) and is_foldable|is_foldable = "),
    Known(_LIMIT, "capabilities/duplicate.py", r"max\(sighting.seconds, 1\)", "1 made 2"),
    Known(_SHOWN, line=r"\[:(100|40|20)\]", fault=r"(100|40|20) made \d+"),
    Known(_SHOWN, "lexer.py", r"run\[0\]\[:40\]"),
    Known(_PLACE, "errors.py", r"self._lines|self._text"),
    Known(_PLACE, line=r"(fail|add)\((bound\.strings\(\d\)|items\[0\])\.at", fault="[01] made [12]"),
    Known(_PLACE, line=r"named_map\(.*\.at\)", fault="[01] made [12]"),
    Known(_PLACE, line=r"given\.at if given is not None else bound\.at|original\.at if original is"),
    Known(_PLACE, line=r"_at or at,|\.at or bound\.at"),
    Known(_PLACE, "(template|script).py", r"at: int = 0|report\.add\(0,"),
    Known(_TOLD, "match.py|capabilities/.*", r"outside\.tell is (not )?None|if compared is not None|COMPARED_MAX"),
    Known(_TOLD, "(code|language).py", r"is_test|when is When\.|holds_others = "),
    Known("of its one argument no more than one can be missing", "capabilities/queue.py", r"^optional=1,$"),
    Known("the same without the short way round", "capabilities/(change_envelope|fileinto|sign|queue|verdict).py",
          r"\.constant is (not )?None", "IsNot turned"),
    Known("who makes one says it", "actions.py", r"^\w+: int = 0$"),
    Known("a stage by itself is no session that ends: tests/unit/mtad/limits/test_places.py", "capabilities/limits.py",
          r"bound\.stage in _OF_TRANSACTION", "In turned"),
    Known("who plays a method looks at nothing: tests/unit/mtad/sieve/capabilities/test_mailauth.py",
          "capabilities/mailauth.py", r"bound\.stage == _WITH_CONTENT", "Eq turned"),
    Known("who plays a service looks at nothing: tests/unit/mtad/sieve/capabilities/test_service.py",
          "capabilities/service.py", r"has_content = |len\(recipients\) == 1|partition\("),
    Known("days are counted from any day, the same when a path is made and read", "capabilities/srs.py", "^_EPOCH = "),
    Known("never run: a mistake was told before", "capabilities/score.py", r"return lambda run: 0"),
    Known("RFC 7352 leaves it to the engine, and a rehearsal has no such memory", "capabilities/duplicate.py",
          r"SECONDS_DEFAULT"),
    Known("the first of them is taken in the next line", "capabilities/duplicate.py", r"values\(name\)\[:1\]"),
    Known("any number above the limit will do", "(language|lexer).py", r"else (CAPTURES_MAX|NUMBER_MAX) \+ 1"),
    Known("a mistake stands for the variable that nobody could ask for", "match.py", r"spans\[: CAPTURES_MAX \+ 1\]"),
    Known("every match has a group", "lexer.py", r"match\.lastindex or 0"),
    Known("a group that took no part has neither place", "regex.py", r"span\[0\] >= 0 else \(0, 0\)", "0 made 1"),
    Known("the first script may have any number", "script.py", r"_units_count (\+)?= "),
    Known("the first span begins at the beginning, whatever this is", "wildcard.py", r"^end = 0$"),
    Known("any number below 0 says that nothing was found", "wildcard.py", r"else -1$", "1 made 2"),
    Known("a header section stands before the body", "mime.py", r"content\.find\(mark, at, end\)\) >= 0", "0 made 1"),
    Known("a boundary begins its line, so a line end stands before it", "mime.py",
          r"end > start and content\[end - 1\] == 0x0A", "And turned"),
    Known("a rehearsal's lines end with two characters: tests/unit/mtad/sieve/test_mime.py", "mime.py",
          r"^end -= 1$|content\[end - 1\] == 0x0D"),
    Known("a page that is not at its beginning has a tag before it", "html_text.py", r"if closed >= 0", "0 made 1"),
    Known("a parameter in one piece is put together of one", "mime.py", r"name is None or \(name", "Or turned"),
    Known("what a redirect asks a test file does not see: tests/unit/mtad/sieve/capabilities/test_change_envelope.py",
          "capabilities/redirect.py", r"return asked or Notify\.UNSAID"),
    Known("a mistake was told, which is all that counts", "validate.py", r"and is_right$", "And turned"),
    Known("for the type checker", "lexer.py", r"assert run is not None"),
)  # fmt: skip


def reason(path: str, line: str, fault: str) -> str:
    """Return why a fault cannot be noticed; '' where it can."""
    return next((known.why for known in KNOWN if known.tells(path, line, fault)), "")
