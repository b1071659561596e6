"""The settings' names, defaults and meanings, and those of them that the functions are declared with.

Apart from `shared.settings`, which reads them all into values, because every cold start waits for this.
The settings table of docs/settings.md is checked against SETTINGS by a test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

DOCUMENT_STORAGE = "DocumentStorage"
"""Name of the storage connection: a connection string under this name, or identity-based settings
`DocumentStorage__blobServiceUri`, `__queueServiceUri`, `__credential`, `__clientId`.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-reference#configure-an-identity-based-connection"""


class Setting(NamedTuple):
    """One row of the settings table."""

    name: str
    default: str
    meaning: str
    secret: bool = False
    form: str = ""
    """What the value must look like: a name in FORMS."""


AZURE_MONITOR = "azure-monitor"
"""What TELEMETRY is where figures and spans are exported."""

_GUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_HTTPS = "https://[a-z0-9.-]+(:(?!443($|[ ,]))[0-9]{1,5})?"
_LOOPBACK = r"http://(localhost|127\.0\.0\.1|\[::1\])(:(?!80($|[ ,]))[0-9]{1,5})?"
_ORIGIN = f"({_HTTPS}|{_LOOPBACK})"
_NAME = (
    r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*",
    "must be 3 to 63 lower-case letters, digits and single hyphens",
)
FORMS = {
    "guid": (_GUID, "must be a GUID such as c501c3c4-d776-40ef-9ecf-9cefb59442c1"),
    "tenant": (
        rf"{_GUID}|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+",
        "must be a tenant id (a GUID) or a domain such as contoso.onmicrosoft.com",
    ),
    # https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
    "container": _NAME,
    # https://learn.microsoft.com/en-us/rest/api/storageservices/naming-queues-and-metadata#queue-names
    "queue": _NAME,
    # https://learn.microsoft.com/en-us/azure/key-vault/general/about-keys-secrets-certificates#vault-name-and-object-name
    "vault secret": ("[0-9A-Za-z-]{1,127}", "must be 1 to 127 letters, digits and hyphens"),
    "secret": ("[!-~]+", "holds blanks or other characters that no client secret has"),
    "address": (
        r"[A-Za-z0-9._~:/%\[\]-]+",
        "must be a plain https URL without blanks or letters beyond ASCII",
    ),
    # as browsers serialize them: https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
    "origins": (
        rf"{_ORIGIN}( *, *{_ORIGIN})*",
        "must be origins such as https://portal.example, with commas between them: lower case, https (http"
        " only on loopback), no usual port, no path, no slash at the end, no *",
    ),
    "authentication": ("keys|entra", "must be keys or entra"),
    "telemetry": (f"off|{AZURE_MONITOR}", f"must be off or {AZURE_MONITOR}"),
    "part name": (
        r"[A-Za-z0-9._-]{1,64}",
        "must be 1 to 64 letters, digits, points, hyphens and underscores: other names get lost in multipart",
    ),
}
"""Patterns for whole values, and what to say of a value that does not match."""


SETTINGS: tuple[Setting, ...] = (
    Setting(
        DOCUMENT_STORAGE,
        "",
        "storage account of the three containers and the queue: connection string",
        secret=True,
    ),
    Setting(f"{DOCUMENT_STORAGE}__blobServiceUri", "", "the same account by identity: its blob endpoint"),
    Setting(f"{DOCUMENT_STORAGE}__queueServiceUri", "", "by identity: its queue endpoint"),
    Setting(f"{DOCUMENT_STORAGE}__credential", "", "by identity: `managedidentity`"),
    Setting(
        f"{DOCUMENT_STORAGE}__clientId", "", "by identity: client id of a user-assigned identity", form="guid"
    ),
    Setting(
        "INCOMING_CONTAINER", "incoming", "container for dropped documents and sidecars", form="container"
    ),
    Setting("RECEIPTS_CONTAINER", "receipts", "container for receipts", form="container"),
    Setting("LEDGER_CONTAINER", "ledger", "container for the ledger", form="container"),
    Setting("WORK_QUEUE", "work", "queue of pending work", form="queue"),
    Setting("BLOB_TRIGGER_SOURCE", "EventGrid", "`EventGrid`, or `LogsAndContainerScan` to poll"),
    Setting(
        "NOTICE_QUEUE",
        "notices",
        "queue on which a message tells people what is in review, was rejected or waits too long",
        form="queue",
    ),
    Setting("NOTICE_AFTER_HOURS", "24", "after so long something that waits or is tried again is told"),
    Setting("SWEEP_SCHEDULE", "0 */5 * * * *", "when the sweep runs (NCRONTAB, six fields)"),
    Setting("PARTNER_CENTER_CLOUD", "global", "`global`, `usgov` or `china`: base URL, authority, audience"),
    Setting("PARTNER_CENTER_BASE_URL", "of the cloud", "overrides the cloud's base URL"),
    Setting("PARTNER_CENTER_AUTHORITY", "of the cloud", "overrides the cloud's token authority"),
    Setting("PARTNER_CENTER_AUDIENCE", "of the cloud", "overrides the cloud's token audience"),
    Setting("PARTNER_TENANT_ID", "", "the partner's tenant", form="tenant"),
    Setting("PARTNER_CLIENT_ID", "", "client id of the app registration", form="guid"),
    Setting("PARTNER_CLIENT_SECRET", "", "its secret, or one of the next two", secret=True, form="secret"),
    Setting(
        "PARTNER_CLIENT_CERTIFICATE",
        "",
        "path of its certificate with private key (PEM or PFX)",
        secret=True,
    ),
    Setting("PARTNER_CLIENT_CERTIFICATE_PASSWORD", "", "password of that file", secret=True),
    Setting(
        "PARTNER_FEDERATED_CREDENTIAL",
        "",
        "client id of a user-assigned managed identity that vouches for the app",
        form="guid",
    ),
    Setting("PARTNER_REFRESH_TOKEN_VAULT", "", "App+User: URL of the Key Vault that holds the refresh token"),
    Setting(
        "PARTNER_REFRESH_TOKEN_SECRET",
        "partner-center-refresh-token",
        "App+User: name of the vault's secret",
        form="vault secret",
    ),
    Setting("PARTNER_REFRESH_TOKEN_FILE", "", "App+User, local use: file that holds the refresh token"),
    Setting("PO_PART_NAME", "POFiles", "name of the multipart parts with purchase orders", form="part name"),
    Setting(
        "TENDER_PART_NAME",
        "TenderFiles",
        "name of the multipart parts with tenders (REST reference: `Tender`)",
        form="part name",
    ),
    Setting("MAX_FILE_MB", "50", "largest file, in MiB; our own guard, Microsoft publishes none"),
    Setting("MAX_FILES", "20", "most files in one submission; our own guard"),
    Setting(
        "MAX_BODY_MB",
        "25",
        "largest HTTP body, in MiB, as an instance has memory for (docs/operations.md); larger documents are"
        " uploaded past the app",
    ),
    Setting("REQUIRE_PDF_END", "true", "whether a PDF without its end (%%EOF) is held back as cut off"),
    Setting(
        "REQUEST_SECONDS",
        "180",
        "total time for one submission, at least 5 + MAX_BODY_MB; HTTP callers are cut off at 230",
    ),
    Setting(
        "ATTACHMENT_VISIBILITY_SECONDS",
        "120",
        "how long to wait after a lost reply before treating a missing attachment as never sent",
    ),
    Setting(
        "ORDER_VISIBILITY_SECONDS",
        "1200",
        "the same for orders; Partner Center's list lags up to 15 minutes",
    ),
    Setting(
        "WATCH_ORDERS",
        "true",
        "whether each order that was placed or attached to is looked at once a day until its status is final,"
        " and read before documents are sent; at most 100 calls a minute (docs/operations.md)",
    ),
    Setting("RESELLER_CACHE_SECONDS", "300", "cache lifetime of the list of indirect resellers"),
    Setting(
        "PUBLIC_BASE_URL",
        "",
        "base of the addresses in answers, as callers reach the app through a gateway; without it, the host"
        " of each request",
        form="address",
    ),
    Setting(
        "ALLOWED_ORIGINS",
        "",
        "origins of web pages that may call the app from a browser, with commas between them; without it,"
        " CORS is off",
        form="origins",
    ),
    Setting(
        "AUTHENTICATION",
        "keys",
        "`keys`: callers show a function key; `entra`: App Service authentication signs them in, and app"
        " roles decide",
        form="authentication",
    ),
    Setting(
        "CUSTOMER_BINDINGS",
        "",
        "JSON that binds the holders of app roles, and folders of dropped documents, to customers; without"
        " it, every caller may act for every customer",
    ),
    Setting(
        "TELEMETRY",
        "off",
        "`off`, or `azure-monitor`: figures and spans go to Application Insights, which costs each cold start"
        " 0.2 s and 6 MiB (docs/operations.md)",
        form="telemetry",
    ),
    Setting("MAX_CALLS_IN_FLIGHT", "36", "most calls to Partner Center at once from one instance"),
)

WORKER_SETTINGS = {"PYTHON_THREADPOOL_THREAD_COUNT": "144"}
"""Settings of the platform that belong to host.json: a thread for each of the 64 events, 64 messages and 8
requests that one instance takes at once; Python's own default would carry 6 on two processors.
https://learn.microsoft.com/en-us/azure/azure-functions/functions-app-settings#python_threadpool_thread_count"""

DEFAULTS = {s.name: s.default for s in SETTINGS}
"""What a setting is when nobody gives it, by its name."""


def trigger_binding(env: Mapping[str, str]) -> tuple[str, str, str]:
    """Container, source and sweep schedule, which the decorators need while the app is being indexed.

    A source that is misspelt falls back to EventGrid here and stands in `Settings.problems`.
    """
    source = env.get("BLOB_TRIGGER_SOURCE", "")
    return (
        env.get("INCOMING_CONTAINER", "").strip() or DEFAULTS["INCOMING_CONTAINER"],
        source if source == "LogsAndContainerScan" else "EventGrid",
        env.get("SWEEP_SCHEDULE", "").strip() or DEFAULTS["SWEEP_SCHEDULE"],
    )


def by_entra(env: Mapping[str, str]) -> bool:
    """Whether app roles decide instead of function keys, which routes need while the app is being indexed.

    A misspelt AUTHENTICATION falls back to keys here and stands in `Settings.problems`.
    """
    return env.get("AUTHENTICATION", "").strip() == "entra"


def queue_binding(env: Mapping[str, str]) -> str:
    """Name of the work queue, which its trigger needs while the app is being indexed.

    A name that no queue can have falls back to the default here and stands in `Settings.problems`.
    """
    return _queue(env, "WORK_QUEUE")


def notice_queue(env: Mapping[str, str]) -> str:
    """Name of the queue of notices, by the same rule."""
    return _queue(env, "NOTICE_QUEUE")


def _queue(env: Mapping[str, str], setting: str) -> str:
    name = env.get(setting, "").strip()
    return name if re.fullmatch(_NAME[0], name) else DEFAULTS[setting]
