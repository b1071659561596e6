"""`python -m local.api`: write the OpenAPI document and the connector anew, from the models and tables."""

from __future__ import annotations

from local.api import connector, openapi
from local.stack import ROOT


def files() -> dict[str, bytes]:
    """What belongs into the repository, by path from its root."""
    return {
        "shared/web/openapi.json": openapi.dumped(openapi.document()).encode(),
        "connector/apiDefinition.swagger.json": connector.dumped(connector.definition()).encode(),
        "connector/apiProperties.json": connector.dumped(connector.properties()).encode(),
    }


if __name__ == "__main__":
    for name, content in files().items():
        (ROOT / name).write_bytes(content)
        print(f"wrote {name}, {len(content)} bytes")
