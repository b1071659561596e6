"""`python -m local.api`: write the OpenAPI document and the connector anew, from the models and tables."""

from __future__ import annotations

from local.api import openapi
from local.stack import ROOT

OPENAPI = ROOT / "shared" / "web" / "openapi.json"


def files() -> dict[str, bytes]:
    """What belongs into the repository, by path from its root."""
    return {OPENAPI.relative_to(ROOT).as_posix(): openapi.dumped(openapi.document()).encode()}


if __name__ == "__main__":
    for name, content in files().items():
        (ROOT / name).write_bytes(content)
        print(f"wrote {name}, {len(content)} bytes")
