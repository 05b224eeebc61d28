"""Generate the committed protobuf code; with --check, only say whether it is fresh."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = {
    "replicator": ("replicator/pb", ["replicator/v1"]),
    "mtad": ("mtad/pb", ["mtad/queue/v1", "mtad/admin/v1"]),
}
IMPORT = re.compile(r"^from (mtad|replicator)\.(\w+(?:\.\w+)*) import (\w+_pb2)", re.MULTILINE)


def generated() -> dict[str, str]:
    """Return the text of every generated file by its path below the root."""
    files: dict[str, str] = {}
    for out, folders in SCHEMAS.values():
        with tempfile.TemporaryDirectory() as scratch:
            sources = [
                str(p.relative_to(ROOT / "proto"))
                for f in folders
                for p in sorted((ROOT / "proto" / f).glob("*.proto"))
            ]
            well_known = str(Path(grpc_tools.__file__).parent / "_proto")
            arguments = [
                "protoc",
                f"-I{ROOT / 'proto'}",
                f"-I{well_known}",
                f"--python_out={scratch}",
                f"--pyi_out={scratch}",
                f"--grpc_python_out={scratch}",
                *sources,
            ]
            if protoc.main(arguments) != 0:
                sys.exit("protoc failed")
            for made in sorted(Path(scratch).rglob("*.py*")):
                if made.name.endswith("_pb2_grpc.py") and "Stub" not in made.read_text():
                    continue
                text = IMPORT.sub(lambda m: f"from {m[1]}.pb import {m[3]}", made.read_text())
                files[f"{out}/{made.name}"] = text
    return files


def main() -> None:
    stale = []
    made = generated()
    for path, text in made.items():
        target = ROOT / path
        if not target.exists() or target.read_text() != text:
            stale.append(path)
            if "--check" not in sys.argv:
                target.write_text(text)
    if "--check" in sys.argv and stale:
        sys.exit(f"stale generated files: {', '.join(stale)}; run `make proto`")


main()
