"""The same targets under atheris, which sees the lines that an input reaches: slower, and it looks deeper.

`python -m tests.fuzz.guided TARGET [options of libFuzzer]`; atheris is no dependency of ours: `pip install atheris`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mtad"]):
    from tests.fuzz.targets import OCTETS_MAX, TARGETS

CORPUS = Path("var/fuzz/corpus")


def main() -> None:
    """Feed one target until it fails, or as often as `-runs=` says; a fault goes to var/fuzz."""
    target = TARGETS[sys.argv[1]]
    corpus = CORPUS / sys.argv[1]
    corpus.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(octets)

    def feed(octets: bytes) -> None:
        target.feed(octets)

    own = [f"-max_len={OCTETS_MAX}", f"-artifact_prefix={CORPUS.parent}/{sys.argv[1]}-"]
    atheris.Setup([sys.argv[0], *own, *sys.argv[2:], str(corpus)], feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
