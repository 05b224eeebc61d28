"""Reads a script from a file and compiles it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mtad.admission.srs_file import BadSecrets, read_secrets
from mtad.sieve.errors import SieveError, SieveErrors
from mtad.sieve.language import Language
from mtad.sieve.outside import NOTHING, Library, Outside
from mtad.sieve.script import SCRIPT_LENGTH_MAX, Script, compile_script
from mtad.telemetry.metrics import Metric


def scripts_in(personal: Path, shared: Path) -> Library:
    """Return what finds the scripts that another includes, `:personal` and `:global` ones, in these folders."""
    folders = {"personal": personal, "global": shared}

    def find(location: str, name: str) -> str | None:
        try:
            with (folders[location] / f"{name}.sieve").open("rb") as file:
                return file.read(4 * SCRIPT_LENGTH_MAX + 1).decode("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

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
        with path.open("rb") as file:
            octets = file.read(4 * SCRIPT_LENGTH_MAX + 1)
        return compile_script(octets.decode("utf-8"), str(path), language, outside, metrics)
    except OSError as error:
        return SieveErrors((SieveError(str(path), 1, 1, f"cannot be read: {error.strerror}"),))
    except UnicodeDecodeError as error:
        before = octets[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        return SieveErrors((SieveError(str(path), before.count(b"\n") + 1, column, "not UTF-8 (RFC 5228 §2.1)"),))
