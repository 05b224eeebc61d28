"""Reads mtad.toml into Settings, or says everything that is wrong with it at once, each with its line.

The types in mtad.config.settings say what is allowed; nothing about a single setting stands here, except for the rules
that bind two of them together.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from mtad.config.allowed import allowed, element, plain
from mtad.config.forms import MAPS_IN_FILES, NAME, Address, Listener, MapSource, Unfit
from mtad.config.positions import Place, positions
from mtad.config.settings import About, Followed, Node, Peer, Replication, Settings, Site

FILE_OCTETS_MAX = 1_000_000
SHOWN_LENGTH_MAX = 60
OCTETS_PER_SECOND_MIN = 65_536  # of a link to a site: with less, one packet takes as long as a silence
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_KINDS = {
    bool: "a boolean",
    str: "a text",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
}


@dataclass(frozen=True, slots=True)
class ConfigurationError:
    """One thing that is wrong, where it stands, what came and what is allowed."""

    file: str
    line: int  # 0: the file as a whole
    key: str  # dotted; '' when no key is at fault
    came: str
    allowed: str

    @property
    def text(self) -> str:
        """What is wrong, without where."""
        subject = f"{self.key} {self.came}" if self.key else self.came
        return subject + (f"; {self.allowed}" if self.allowed else "")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(frozen=True, slots=True)
class ConfigurationErrors:
    """Everything that is wrong with one file, in the order of its lines; never empty."""

    errors: tuple[ConfigurationError, ...]

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


def read(path: Path) -> Settings | ConfigurationErrors:
    """Read and check a file; relative paths in it start at its folder. Errors: none are raised."""
    try:
        with path.open("rb") as stream:
            octets = stream.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        mend = "`mtad init DIR` writes one" if isinstance(error, FileNotFoundError) else ""
        return _whole_file(path, f"cannot be read: {error.strerror}", mend)
    if len(octets) > FILE_OCTETS_MAX:
        return _whole_file(path, f"is larger than {FILE_OCTETS_MAX} octets", "")
    try:
        text = octets.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        return ConfigurationErrors((ConfigurationError(str(path), line, "", "not UTF-8", "TOML is UTF-8"),))
    return read_text(text, path)


def read_text(text: str, path: Path) -> Settings | ConfigurationErrors:
    """Check a text as if it stood in the file `path`."""
    try:
        document = tomllib.loads(text)
        lines = positions(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        came = f"not TOML: {_LINE.sub('', str(error)).removesuffix('(at end of document)').strip()}"
        return ConfigurationErrors((ConfigurationError(str(path), line, "", came, ""),))
    except ValueError:  # Python reads no integer of more than 4,300 digits
        return _whole_file(path, "has a number with too many digits", "")
    except RecursionError:
        return _whole_file(path, "is nested too deeply", "")
    reader = _Reader(path, lines)
    settings = reader.table(document, Settings, ())
    if not reader.errors and isinstance(settings, Settings):
        reader.bind(settings)
        if not reader.errors:
            return settings
    return ConfigurationErrors(tuple(sorted(reader.errors, key=lambda error: error.line)))


def _whole_file(path: Path, came: str, allowed: str) -> ConfigurationErrors:
    return ConfigurationErrors((ConfigurationError(str(path), 0, "", came, allowed),))


class _Bad:
    """Stands for a value that was reported."""


_BAD = _Bad()


class _Reader:
    """One reading of one document; collects what is wrong."""

    def __init__(self, path: Path, lines: Mapping[Place, int]) -> None:
        self.errors: list[ConfigurationError] = []
        self._path = path
        self._folder = path.absolute().parent
        self._lines = lines
        self._readers: dict[object, Callable[[object, Any, About, Place], object]] = {
            bool: self._truth,
            int: self._number,
            float: self._number,
            str: self._text,
            Address: self._text,
            Listener: self._text,
            MapSource: self._map_source,
            Path: self._file_path,
            Literal: self._choice,
            tuple: self._list,
            Mapping: self._names,
        }

    def table(self, value: object, kind: type, place: Place) -> object:
        """Read a table into its dataclass, or return _BAD after reporting."""
        if not isinstance(value, dict):
            return self._wrong_kind(value, "allowed: a table", place)
        hints = get_type_hints(kind, include_extras=True)
        fields = {field.name: field for field in dataclasses.fields(kind)}
        for key in [key for key in value if key not in fields]:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(fields)}"
            self._report((*place, key), "is not a setting", hint)
        taken: dict[str, object] = {}
        is_bad = False
        for name, field in fields.items():
            if name in value:
                taken[name] = self._value(value[name], *plain(hints[name]), (*place, name))
                is_bad = is_bad or taken[name] is _BAD
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                self._report(
                    (*place, name), "is missing", f"allowed: {allowed(*plain(hints[name]))}", is_own_line=False
                )
                is_bad = True
        return _BAD if is_bad else kind(**taken)

    def bind(self, settings: Settings) -> None:
        """Check what no setting shows alone."""
        smtp, pair = settings.smtp, settings.replication
        if (smtp.tls_cert is None) != (smtp.tls_key is None):
            given, missing = ("tls_cert", "tls_key") if smtp.tls_key is None else ("tls_key", "tls_cert")
            self._report(("smtp", given), "is given alone", f"smtp.{missing} belongs to it")
        needed = (("users", smtp.users), ("tls_cert", smtp.tls_cert)) if smtp.takes_users else ()
        for name, value in needed:
            if value is None:
                self._report(("smtp", "listen"), "lets users in", f"smtp.{name} is needed for that")
        if smtp.memory_octets_max < smtp.size_octets_max:
            came = f"{smtp.memory_octets_max} is too small"
            self._report(("smtp", "memory_octets_max"), came, "at least smtp.size_octets_max")
        self._unique(
            ("smtp", "listen"), [str(each.address) for each in smtp.listen if each.address.port or each.address.is_unix]
        )
        limited = [each.rpartition(" ")[2].partition("/")[0] for each in smtp.client_limits]
        self._unique(("smtp", "client_limits"), limited)
        self._unique(("node", "domains"), settings.node.domains)
        self._unique(("dkim", "keys"), [f"{key.selector}._domainkey.{key.domain}" for key in settings.dkim.keys])
        if pair is None:
            return
        self._bind_others(settings.node, pair)
        if (pair.authority == "witness") != (pair.witness is not None):
            came = "pair and manual have no witness" if pair.witness is not None else "witness is not given"
            self._report(
                ("replication", "authority"), came, "authority = witness and [replication.witness] go together"
            )
        if pair.witness is not None and pair.lease_seconds * 1000 < 4 * pair.beat_milliseconds:
            came = f"{pair.lease_seconds:g} is too small"
            self._report(("replication", "lease_seconds"), came, "at least four beats")
        if pair.promote_after_seconds * 1000 < 4 * pair.beat_milliseconds:
            came = f"{pair.promote_after_seconds:g} is too small"
            self._report(("replication", "promote_after_seconds"), came, "at least four beats")

    def _bind_others(self, node: Node, pair: Replication) -> None:
        """Check who the others are: a peer and sites, or the members that a site follows."""
        others: list[tuple[Place, Peer | Site | Followed]] = []
        if pair.peer is not None:
            others.append((("replication", "peer"), pair.peer))
        others += [(("replication", "sites", index), site) for index, site in enumerate(pair.sites)]
        others += [(("replication", "members", index), member) for index, member in enumerate(pair.members)]
        if not others:
            self._report(("replication", "peer"), "is missing", "a pair has a peer, a site has members")
        if pair.members and len(others) > len(pair.members):
            self._report(("replication", "members"), "has a peer or sites beside it", "a site follows, and that alone")
        for name in ("name", "id"):
            own, taken = getattr(node, name), set()
            for place, other in others:
                theirs = getattr(other, name)
                if theirs == own:
                    self._report((*place, name), "is this node's own", "the two nodes differ in it")
                elif theirs in taken:
                    self._report((*place, name), "is given twice", "all nodes differ in it")
                taken.add(theirs)
        for index, site in enumerate(pair.sites):
            if 0 < site.octets_per_second < OCTETS_PER_SECOND_MIN:
                place = ("replication", "sites", index, "octets_per_second")
                self._report(place, f"{site.octets_per_second} is too small", f"0, or at least {OCTETS_PER_SECOND_MIN}")

    def _unique(self, place: Place, names: list[str] | tuple[str, ...]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                self._report((*place, index), f"{name!r} is given twice", "")

    def _value(self, value: object, kind: Any, about: About, place: Place) -> object:
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            return self.table(value, kind, place)
        return self._readers[get_origin(kind) or kind](value, kind, about, place)

    def _truth(self, value: object, kind: Any, about: About, place: Place) -> object:
        if isinstance(value, bool):
            return value
        return self._wrong_kind(value, f"allowed: {allowed(kind, about)}", place)

    def _number(self, value: object, kind: Any, about: About, place: Place) -> object:
        if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
            return self._wrong_kind(value, f"allowed: {allowed(kind, about)}", place)
        if not about.least <= value <= about.most:  # NaN is in no range
            size = "small" if value < about.least else "large"
            return self._report(place, f"{shown(value)} is too {size}", f"allowed: {allowed(kind, about)}")
        return kind(value)

    def _text(self, value: object, kind: Any, about: About, place: Place) -> object:
        if not isinstance(value, str) or about.form is None:
            return self._wrong_kind(value, f"allowed: {allowed(kind, about)}", place)
        taken = about.form.read(value)
        if isinstance(taken, Unfit):
            return self._report(place, f"{shown(value)} {taken.why}", f"allowed: {about.form.allowed}")
        return taken

    def _file_path(self, value: object, kind: Any, about: About, place: Place) -> object:
        if not isinstance(value, str):
            return self._wrong_kind(value, f"allowed: {allowed(kind, about)}", place)
        if not value or "\0" in value:
            return self._report(place, f"{shown(value)} is no path", f"allowed: {allowed(kind, about)}")
        return self._folder / value

    def _choice(self, value: object, kind: Any, about: About, place: Place) -> object:
        if value in get_args(kind):
            return value
        if not isinstance(value, str):
            return self._wrong_kind(value, f"allowed: {allowed(kind, about)}", place)
        came = "is not available yet" if value in about.later else "is not known"
        return self._report(place, f"{shown(value)} {came}", f"allowed: {allowed(kind, about)}")

    def _list(self, value: object, kind: Any, about: About, place: Place) -> object:
        if not isinstance(value, list):
            return self._wrong_kind(value, f"allowed: {allowed(kind, about)}", place)
        if not about.least <= len(value) <= about.most:
            return self._report(place, f"has {len(value)} entries", f"allowed: {allowed(kind, about)}")
        taken = [self._value(each, *element(kind, about), (*place, index)) for index, each in enumerate(value)]
        return _BAD if any(each is _BAD for each in taken) else tuple(taken)

    def _names(self, value: object, kind: Any, about: About, place: Place) -> object:
        """Read a table whose names are the user's."""
        if not isinstance(value, dict):
            return self._wrong_kind(value, f"allowed: {allowed(kind, about)}", place)
        if len(value) > about.most:
            return self._report(place, f"has {len(value)} entries", f"allowed: {allowed(kind, about)}")
        taken = {name: self._value(each, *element(kind, about), (*place, name)) for name, each in value.items()}
        for name in value:
            if isinstance(NAME.read(name), Unfit):
                taken[name] = self._report((*place, name), "is no name", f"allowed: {NAME.allowed}")
        return _BAD if any(each is _BAD for each in taken.values()) else taken

    def _map_source(self, value: object, kind: Any, about: About, place: Place) -> object:
        taken = self._text(value, kind, about, place)
        if isinstance(taken, MapSource) and taken.kind in MAPS_IN_FILES:
            return taken._replace(where=str(self._folder / taken.where))
        return taken

    def _wrong_kind(self, value: object, what: str, place: Place) -> _Bad:
        return self._report(place, f"is {_KINDS.get(type(value), 'a date or time')} ({shown(value)})", what)

    def _report(self, place: Place, came: str, what: str, *, is_own_line: bool = True) -> _Bad:
        line = 0
        for length in range(len(place) - (not is_own_line), 0, -1):  # a missing key is reported at its table
            line = self._lines.get(place[:length], 0)
            if line:
                break
        self.errors.append(ConfigurationError(str(self._path), line, dotted(place), came, what))
        return _BAD


def shown(value: object) -> str:
    """Return a value as it may stand in a message: short and on one line."""
    try:
        text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a very long number"
    return text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 3] + "..."


def dotted(place: Place) -> str:
    """Write a place as a user would: `dkim.keys[0].file`."""
    text = ""
    for step in place:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step[:SHOWN_LENGTH_MAX] if _BARE_KEY.fullmatch(step) else json.dumps(step[:SHOWN_LENGTH_MAX])
            text += f".{name}" if text else name
    return text
