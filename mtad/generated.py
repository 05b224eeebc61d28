"""Pages of the documentation that are made from the code: written, or with --check only compared."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def write_or_check(pages: Mapping[Path, str], module: str) -> None:
    """Write the pages that a module makes; with --check on the command line exit where one is not fresh."""
    if "--check" not in sys.argv[1:]:
        for path, text in pages.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    elif stale := [path.name for path, text in pages.items() if not path.exists() or path.read_text() != text]:
        sys.exit(f"stale: {', '.join(stale)}; run `python -m {module}`")
