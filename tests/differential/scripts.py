"""Random scripts that both engines should compile, of what our plain language has."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from mtad.sieve.dialects import PLAIN
from tests.differential.messages import ADDRESSES, DOMAINS, WORDS

CAPABILITIES = tuple(
    name
    for name in (
        "fileinto", "envelope", "copy", "relational", "subaddress", "comparator-i;ascii-numeric", "encoded-character",
        "variables", "editheader", "date", "index", "body", "mime", "foreverypart", "extracttext", "regex", "ihave",
    )
    if name in PLAIN.capabilities
)  # fmt: skip
"""What the scripts may require: all of it that our language has."""

_HEADERS = ["Subject", "X-A", "x-b", "To", "List-Id", "keywords", "none", "From"]
_ADDRESS_HEADERS = ["From", "to", "CC", "Sender", "reply-to"]
_KEYS = [*WORDS, *ADDRESSES, *DOMAINS, "", "rr", "list", "b+c", "1", "2", "coyote", "three", "folded  x", "Road Runner"]
_PATTERNS = [
    "*", "*e", "*.example", "rr@*", "a\\*b\\?*", "*o*e*", "*@*.*", "**", "*re*re*", "gr*ü*", "\\a*", "*+*@*", "one*",
    "* *", "*:*", "[*] *",
]  # fmt: skip
_ASCII_PATTERNS = [*_PATTERNS, "?", "?*?", "?n?", "?*:*", "*?e*"]  # what ? is in other values: see differences.py
_EXPRESSIONS = [
    "^.*$",
    "o(n)e",
    "([a-z]+)@([a-z]+)",
    "^re: (.*)$",
    "[0-9]+",
    "x{3}",
    "acme\\\\.example$",
    "^$",
    "^[[:alpha:]]",
]
_PIECES = ["a ", "B*", "?", "ü", "\\", "$", "{x}", "x", "É"]
_VARIABLES = ["a", "b", "c_1", "Long"]
_RELATIONS = ["gt", "ge", "lt", "le", "eq", "ne"]
_CONTENTS = ["text", "text/html", "multipart"]
_MIME_PARTS = [":type", ":subtype", ":contenttype", ':param "charset"', ':param ["filename", "boundary"]']
_MIME_WORDS = ["text", "plain", "html", "text/plain", "multipart", "utf-8", "a.txt", "mixed", "U"]
_DATE_PARTS = [
    "year", "month", "day", "date", "julian", "hour", "minute", "second", "time", "iso8601", "std11", "zone", "weekday",
]  # fmt: skip


def quoted(text: str) -> str:
    """Write a string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _knows_nothing(match: str) -> bool:
    """Tell whether a match takes an address without a detail, or with an empty one, as both engines do."""
    return ":count" not in match and "numeric" not in match  # see differences.py


class Drawing:
    """One script being drawn."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._marks = 0
        self._has_edits = "editheader" in CAPABILITIES and dice.random() < 0.6
        self.kinds: set[str] = set()  # what was drawn

    def script(self) -> str:
        """Return a whole script."""
        body = [self._command(0) for _ in range(self._dice.randint(4, 12))]
        required = ", ".join(map(quoted, CAPABILITIES))
        return f"require [{required}];\n" + "\n".join(body) + "\n" + self._observed()

    def _observed(self) -> str:
        """Return commands that show what the variables and the fields are at the end."""
        found = []
        if "variables" in CAPABILITIES:
            found += [f'fileinto "V {name}=${{{name}}}";' for name in (*_VARIABLES, "part")]
        if "editheader" in CAPABILITIES:
            for name in ("X-A", "X-New", "Subject"):
                found.append(f'if header :matches "{name}" "*" {{ fileinto "H {name}=${{0}}"; }}')
                found += [
                    f'if header :count "eq" "{name}" "{count}" {{ fileinto "C {name}={count}"; }}' for count in range(4)
                ]
        return "\n".join(found) + "\n"

    # Commands.

    def _command(self, depth: int) -> str:
        commands: dict[Callable[[int], str], float] = {
            self._if: 6 if depth < 2 else 0,
            self._mark: 3,
            self._final: 0.5,
        }
        if "variables" in CAPABILITIES:
            commands |= {self._set: 3, self._file_variable: 2}
        if self._has_edits:
            commands |= {self._add_header: 1, self._delete_header: 1}
        if "foreverypart" in CAPABILITIES:
            commands[self._every_part] = 1 if depth < 2 else 0
        return self._dice.choices(list(commands), list(commands.values()))[0](depth)

    def _block(self, depth: int) -> str:
        return "{\n" + "\n".join(self._command(depth + 1) for _ in range(self._dice.randint(1, 2))) + "\n}"

    def _if(self, depth: int) -> str:
        arms = f"if {self.test(depth)} {self._block(depth)}"
        for _ in range(self._dice.choice([0, 0, 1, 2])):
            arms += f" elsif {self.test(depth)} {self._block(depth)}"
        return arms + (f" else {self._block(depth)}" if self._dice.random() < 0.4 else "")

    def _mark(self, depth: int) -> str:
        self._marks += 1
        return f'fileinto {self._copy()}"T{self._marks}";'

    def _copy(self) -> str:
        return ":copy " if self._dice.random() < 0.3 else ""

    def _final(self, depth: int) -> str:
        if self._dice.random() < 0.3:
            return f'redirect {self._copy()}"r{self._dice.randint(1, 3)}@elsewhere.example";'
        return self._dice.choice(["keep;", "discard;", "stop;"] if depth else ["keep;", "discard;"])

    def _set(self, depth: int) -> str:
        self.kinds.add("set")
        groups = [[":lower", ":upper"], [":lowerfirst", ":upperfirst"], [":quotewildcard"], [":length"]]
        modifiers = [self._dice.choice(group) for group in groups if self._dice.random() < 0.2]
        self._dice.shuffle(modifiers)
        name, value = self._dice.choice(_VARIABLES), self._text()
        if value.lower() == f"${{{name}}}".lower():
            value += "."  # set to itself: see differences.py
        return f"set {' '.join(modifiers)} {quoted(name)} {quoted(value)};"

    def _file_variable(self, depth: int) -> str:
        self._marks += 1
        return f"fileinto {quoted(f'F{self._marks} {self._text()}')};"

    def _text(self) -> str:
        """Return text with variables in it."""
        pieces = [
            self._dice.choice(["a ", "B*", "?", "ü", "\\", "$", "{x}", "x", "É"])
            for _ in range(self._dice.randint(0, 2))
        ]
        names = [*_VARIABLES, "LONG", "0", "1", "2", "3", "01", "unset"]
        pieces += [f"${{{self._dice.choice(names)}}}" for _ in range(self._dice.randint(0, 2))]
        self._dice.shuffle(pieces)
        return "".join(pieces)

    def _add_header(self, depth: int) -> str:
        self.kinds.add("addheader")
        name = self._dice.choice(["X-A", "X-New", "x-new"])
        value = self._text() if "variables" in CAPABILITIES else self._dice.choice(WORDS)
        last = self._dice.choice(["", ":last "]) if name.lower() == "x-new" else ""  # one name: see differences.py
        value = f"v{value}" if value.startswith("$") else value.strip()  # a blank before it: see differences.py
        return f"addheader {last}{quoted(name)} {quoted(value or 'v')};"

    def _delete_header(self, depth: int) -> str:
        self.kinds.add("deleteheader")
        tags = self._dice.choice(["", "", ":index 1 ", ":index 2 ", ":index 1 :last "])
        name = quoted(self._dice.choice(["X-A", "x-b", "X-New", "Subject", "none"]))
        if self._dice.random() < 0.5:
            return f"deleteheader {tags}{name};"
        match, keys = self._match(is_simple=True)  # without :regex: see differences.py
        forget = 'if string :matches "" "*" { }' if "variables" in CAPABILITIES else ""  # see differences.py
        return f"deleteheader {tags}{match} {name} {keys}; {forget}"

    def _every_part(self, depth: int) -> str:
        self.kinds.add("foreverypart")
        has_edits, self._has_edits = self._has_edits, False  # Pigeonhole loses fields that are added in the loop
        inside = [f"if {self._mime_test()} {self._block(2)}" for _ in range(self._dice.randint(1, 2))]
        if "extracttext" in CAPABILITIES and "variables" in CAPABILITIES and self._dice.random() < 0.5:
            inside.append('extracttext "part";')  # without :first: see differences.py
        self._has_edits = has_edits
        return f"foreverypart {{ {' '.join(inside)} }}"

    # Tests.

    def test(self, depth: int) -> str:
        """Return a test."""
        draw = self._dice.choice(["not", "allof", "anyof"]) if depth < 3 and self._dice.random() < 0.2 else ""
        if draw == "not":
            return f"not {self.test(depth + 1)}"
        if draw:
            return f"{draw} ({', '.join(self.test(depth + 1) for _ in range(self._dice.randint(1, 3)))})"
        kinds = [kind for kind, capability in _TESTS.items() if not capability or capability in CAPABILITIES]
        kind = self._dice.choice(kinds)
        self.kinds.add(kind)
        return _DRAWN[kind](self)

    def _header(self) -> str:
        is_ascii = self._dice.random() < 0.3
        match, keys = self._match(is_ascii=is_ascii)
        names = ["X-A", "none"] if "numeric" in match else ["List-Id", "none"] if is_ascii else _HEADERS
        index = "" if ":count" in match else self._index()  # see differences.py
        return f"header {index}{match} {self._strings(names)} {keys}"

    def _address(self) -> str:
        match, keys = self._match(is_ascii=True)
        part = self._part(has_detail=_knows_nothing(match))
        return f"address {self._index()}{match} {part} {self._strings(_ADDRESS_HEADERS)} {keys}"

    def _envelope(self) -> str:
        match, keys = self._match(is_ascii=True)
        part = self._part(has_detail=_knows_nothing(match))
        return f"envelope {match} {part} {self._strings(['from', 'To'])} {keys}"

    def _exists(self) -> str:
        return f"exists {self._strings([*_HEADERS, *_ADDRESS_HEADERS])}"

    def _size(self) -> str:
        sizes = ["0", "1M"] if self._has_edits else ["0", "200", "500", "1K", "1M"]  # see differences.py
        return f"size {self._dice.choice([':over', ':under'])} {self._dice.choice(sizes)}"

    def _string(self) -> str:
        match, keys = self._match()
        first = "7" if "numeric" in match else ""  # see differences.py
        if "comparator" not in match:
            match = f':comparator "i;ascii-casemap" {match}'  # its default: see differences.py
        return f"string {match} {self._strings([first + self._text(), first + self._text()])} {keys}"

    def _date(self) -> str:
        zone = self._dice.choice([":originalzone", ':zone "+0000"', ':zone "-0730"'])
        part = quoted(self._dice.choice(_DATE_PARTS))
        name = quoted(self._dice.choice(["Date", "Received", "none"]))
        if self._dice.random() < 0.6:
            pattern = self._dice.choice(["*", "*0*", "2024*", "1*"])
            return f"date {zone} :matches {name} {part} {quoted(pattern)}"
        relation = self._dice.choice(_RELATIONS)
        key = self._dice.choice(["2024", "12", "0", "6", "2023-01-01", "08:09:00"])
        return f'date {zone} :value "{relation}" {name} {part} "{key}"'

    def _body(self) -> str:
        transforms = ["", ":text", *(f':content "{kind}"' for kind in _CONTENTS)]
        if not self._has_edits:
            transforms.append(":raw")  # see differences.py
        transform = self._dice.choice(transforms)
        key = self._dice.choice(["one", "TWO", "7", "Gr", "<p>", "X-Part", "boundary", "filename"])
        return f"body {transform} {self._dice.choice([':contains', ':contains', ':matches'])} {quoted(key)}"

    def _mime_test(self) -> str:
        what = self._dice.choice(_MIME_PARTS)
        name = "Content-Disposition" if "filename" in what and self._dice.random() < 0.5 else "Content-Type"
        keys = self._strings(_MIME_WORDS)
        child = self._dice.choice(["", ":anychild"])
        return f'header :mime {child} {what} {self._dice.choice([":is", ":contains"])} "{name}" {keys}'

    def _ihave(self) -> str:
        known = [name for name in CAPABILITIES if name not in ("variables", "encoded-character")]  # see differences.py
        return f"ihave {quoted(self._dice.choice([*known, 'vnd.nobody.has.it', 'imap8flags']))}"

    def _part(self, *, has_detail: bool) -> str:
        parts = ["", ":all", ":localpart", ":domain"]
        if "subaddress" in CAPABILITIES:
            parts += [":user", ":detail"] if has_detail else [":user"]
        return self._dice.choice(parts)

    def _index(self) -> str:
        if "index" not in CAPABILITIES or self._dice.random() < 0.7:
            return ""
        return f":index {self._dice.randint(1, 3)} {self._dice.choice(['', ':last'])} "

    def _match(self, *, is_simple: bool = False, is_ascii: bool = False) -> tuple[str, str]:
        """Return a match type with a comparator, and keys for them; the values may be known to be ASCII."""
        matches = ["", ":is", ":contains", ":matches", ":matches"]
        if not is_simple and "relational" in CAPABILITIES:
            matches += [":value", ":count"]
        if not is_simple and "regex" in CAPABILITIES:
            matches.append(":regex")
        match = self._dice.choice(matches)
        comparator = self._dice.choice(["", "", ':comparator "i;octet"', ':comparator "i;ascii-casemap"'])
        is_numeric = not is_simple and match in ("", ":is", ":value", ":count") and self._dice.random() < 0.3
        if is_numeric and "comparator-i;ascii-numeric" in CAPABILITIES:
            comparator = ':comparator "i;ascii-numeric"'
        self.kinds.add(match or ":is")
        keys = self._strings(
            {":matches": _ASCII_PATTERNS if is_ascii else _PATTERNS, ":regex": _EXPRESSIONS}.get(match, _KEYS)
        )
        if match in (":value", ":count"):
            match += f' "{self._dice.choice(_RELATIONS)}"'
        return f"{comparator} {match}", keys

    def _encoded(self, text: str) -> str:
        """Write a string, now and then with a character by its number."""
        if text and "encoded-character" in CAPABILITIES and self._dice.random() < 0.05:
            at = self._dice.randrange(len(text))
            if text[at].isalnum() and "\\" not in text and "${" not in text:
                hexed = " ".join(f"{octet:02x}" for octet in text[at].encode())
                number = self._dice.choice([f"${{hex: {hexed}}}", f"${{unicode:{ord(text[at]):x}}}"])
                return quoted(text[:at])[:-1] + number + quoted(text[at + 1 :])[1:]
        return quoted(text)

    def _strings(self, words: Sequence[str]) -> str:
        chosen = [self._encoded(self._dice.choice(words)) for _ in range(self._dice.choice([1, 1, 2, 3]))]
        return chosen[0] if len(chosen) == 1 else f"[{', '.join(chosen)}]"


_TESTS: Mapping[str, str] = {  # the capability that each needs
    "header": "",
    "address": "",
    "envelope": "envelope",
    "exists": "",
    "size": "",
    "string": "variables",
    "date": "date",
    "body": "body",
    "mime": "mime",
    "ihave": "ihave",
}
_DRAWN: Mapping[str, Callable[[Drawing], str]] = {
    "header": Drawing._header,
    "address": Drawing._address,
    "envelope": Drawing._envelope,
    "exists": Drawing._exists,
    "size": Drawing._size,
    "string": Drawing._string,
    "date": Drawing._date,
    "body": Drawing._body,
    "mime": Drawing._mime_test,
    "ihave": Drawing._ihave,
}
