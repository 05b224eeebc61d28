"""Reads a script from a file and compiles it."""

from __future__ import annotations

from pathlib import Path

from mtad.sieve.errors import SieveError, SieveErrors
from mtad.sieve.language import Language
from mtad.sieve.outside import NOTHING, Outside
from mtad.sieve.script import SCRIPT_LENGTH_MAX, Script, compile_script


def compile_file(path: Path, language: Language, outside: Outside = NOTHING) -> Script | SieveErrors:
    """Read and compile one file; what keeps it from being read is an error of the script."""
    try:
        with path.open("rb") as file:
            octets = file.read(4 * SCRIPT_LENGTH_MAX + 1)
        return compile_script(octets.decode("utf-8"), str(path), language, outside)
    except OSError as error:
        return SieveErrors((SieveError(str(path), 1, 1, f"cannot be read: {error.strerror}"),))
    except UnicodeDecodeError as error:
        before = octets[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        return SieveErrors((SieveError(str(path), before.count(b"\n") + 1, column, "not UTF-8 (RFC 5228 §2.1)"),))
