"""Reads a script from a file and compiles it."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import replace
from pathlib import Path

from mtad.admission.srs_file import BadSecrets, read_secrets
from mtad.sieve.errors import SieveError, SieveErrors
from mtad.sieve.language import Language
from mtad.sieve.outside import NOTHING, Library, Outside, Unreadable
from mtad.sieve.script import SCRIPT_LENGTH_MAX, Script, compile_script
from mtad.telemetry.metrics import Metric


def scripts_in(personal: Path, shared: Path) -> Library:
    """Return what finds the scripts that another includes, `:personal` and `:global` ones, in these folders."""
    folders = {"personal": personal, "global": shared}

    def find(location: str, name: str) -> str | Unreadable | None:
        try:
            text = _read(folders[location] / f"{name}.sieve")
        except FileNotFoundError:
            return None
        except OSError as error:
            return Unreadable(f"cannot be read: {error.strerror}")
        return text if isinstance(text, str) else Unreadable(f"cannot be read: {text}")

    return find


def compile_file(
    path: Path, language: Language, outside: Outside = NOTHING, metrics: dict[str, Metric] | None = None
) -> Script | SieveErrors:
    """Read and compile one file; what keeps it from being read is an error of the script.

    Beside it are the folder `include`, for the scripts that it includes, and the secrets of SRS; unless they are given.

    metrics   as of `compile_script`
    """
    if outside.scripts is None:
        beside = path.parent / "include"
        outside = replace(outside, scripts=scripts_in(beside, beside))
    if outside.srs is None:
        srs = read_secrets(path.parent)
        if isinstance(srs, BadSecrets):
            return SieveErrors((SieveError(str(srs.file), 1, 1, srs.why),))
        outside = replace(outside, srs=srs)
    try:
        text = _read(path)
    except OSError as error:
        return SieveErrors((SieveError(str(path), 1, 1, f"cannot be read: {error.strerror}"),))
    return (
        compile_script(text, str(path), language, outside, metrics) if isinstance(text, str) else SieveErrors((text,))
    )


def _read(path: Path) -> str | SieveError:
    """Return what stands in a file, or why this is no script. Errors: OSError."""
    with path.open("rb") as file:
        octets = file.read(4 * SCRIPT_LENGTH_MAX + 1)
    if octets.startswith(BOM_UTF8):
        return SieveError(str(path), 1, 1, "begins with a byte order mark: save it as UTF-8 without one")
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        *before, line = octets[: error.start].decode("utf-8").split("\n")
        return SieveError(str(path), len(before) + 1, len(line) + 1, "not UTF-8 (RFC 5228 §2.1)")
