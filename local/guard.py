"""The local stack never runs inside Azure.

A simulator that answered in production would accept orders and lose them, so each part of the local
stack calls `refuse_inside_azure` before it opens a port.
"""

from __future__ import annotations

from collections.abc import Mapping

SIGNS = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME")
"""Set by App Service on every instance.
https://learn.microsoft.com/en-us/azure/app-service/reference-app-settings"""


class InsideAzureError(RuntimeError):
    """The process runs inside Azure, where nothing of the local stack may start."""


def refuse_inside_azure(environ: Mapping[str, str]) -> None:
    """Return when `environ` is that of an ordinary machine; raise InsideAzureError when it is Azure's.

    A Linux Consumption instance has CONTAINER_NAME beside other WEBSITE_ names, and no instance id.
    """
    sign = next((name for name in SIGNS if environ.get(name)), "")
    if not sign and environ.get("CONTAINER_NAME") and any(name.startswith("WEBSITE_") for name in environ):
        sign = "CONTAINER_NAME"
    if sign:
        raise InsideAzureError(
            f"The local stack does not start inside Azure ({sign} is set). "
            "It simulates Partner Center and must never answer a deployed app: "
            "leave local/ out of the package."
        )
