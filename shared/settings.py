"""The application's settings, read once from the environment into frozen values.

`Settings.read` never raises for what is missing: a function app whose import or first call dies tells an
operator nothing. It reports instead (`problems`), `health` shows the names, and a call that needs a
missing setting fails with NotConfiguredError before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from shared.clock import seconds_to_send
from shared.core.bindings import Bindings
from shared.settings_table import (
    DEFAULTS,
    DOCUMENT_STORAGE,
    FORMS,
    SETTINGS,
    by_entra,
    notice_queue,
    queue_binding,
)


@dataclass(frozen=True, slots=True)
class Cloud:
    """Base URL, token authority and audience of one national cloud; they belong together."""

    base_url: str
    authority: str
    audience: str


CLOUDS: Mapping[str, Cloud] = {
    # https://learn.microsoft.com/en-us/partner-center/developer/partner-center-rest-urls
    "global": Cloud(
        "https://api.partnercenter.microsoft.com",
        "https://login.microsoftonline.com",
        "https://api.partnercenter.microsoft.com",
    ),
    "usgov": Cloud(
        "https://api.partnercenter.microsoft.com",
        "https://login.microsoftonline.us",
        "https://api.partnercenter.microsoft.com",
    ),
    # https://learn.microsoft.com/en-us/entra/identity-platform/authentication-national-cloud
    "china": Cloud(
        "https://partner.partnercenterapi.microsoftonline.cn",
        "https://login.partner.microsoftonline.cn",
        "https://partner.partnercenterapi.microsoftonline.cn",
    ),
}


CREDENTIALS = ("PARTNER_CLIENT_SECRET", "PARTNER_CLIENT_CERTIFICATE", "PARTNER_FEDERATED_CREDENTIAL")
"""Each proves that we are the application; one of them is given."""
TOKEN_STORES = ("PARTNER_REFRESH_TOKEN_VAULT", "PARTNER_REFRESH_TOKEN_FILE")
"""Each keeps the refresh token; App+User needs one of them."""


def only_one(names: Sequence[str]) -> str:
    """What is wrong when more than one of these settings is given."""
    return f"give only one of {', '.join(names)}"


def is_https(url: str) -> bool:
    """Whether a URL is one of https, and can be read."""
    return _split(url).scheme == "https" and bool(_split(url).hostname)


def stray(value: str) -> str:
    """What is wrong with any value that looks like this, whatever it is for; "" when nothing is."""
    if value.startswith("@Microsoft.KeyVault("):
        # https://learn.microsoft.com/en-us/azure/app-service/app-service-key-vault-references#troubleshoot-key-vault-references
        return (
            "is a Key Vault reference that was not resolved: see what the portal says of it, and whether the"
            " app's identity may read the secret"
        )
    if not value.isprintable():
        return "contains line breaks or other control characters"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return "stands in quotation marks: take them away"
    return ""


def _split(url: str) -> SplitResult:
    """The parts of a URL; empty ones when it cannot be read."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Who we are at Entra. What is not configured is an empty string."""

    cloud: Cloud
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    certificate: str = field(repr=False)
    certificate_password: str = field(repr=False)
    federated_credential: str
    vault: str
    vault_secret: str
    token_file: str

    @property
    def credentials(self) -> tuple[str, ...]:
        """Which of CREDENTIALS are given."""
        values = (self.client_secret, self.certificate, self.federated_credential)
        return tuple(name for name, value in zip(CREDENTIALS, values, strict=True) if value)

    @property
    def token_stores(self) -> tuple[str, ...]:
        """Which of TOKEN_STORES are given."""
        values = (self.vault, self.token_file)
        return tuple(name for name, value in zip(TOKEN_STORES, values, strict=True) if value)


@dataclass(frozen=True, slots=True)
class Limits:
    """Guards of our own; sizes in bytes, times in seconds."""

    max_file: int
    max_files: int
    max_body: int
    request_seconds: float
    attachment_visibility: float
    order_visibility: float
    reseller_cache: float
    calls_in_flight: int
    require_pdf_end: bool = True
    notice_after: float = 86400.0


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where the three containers and the queue are; either `connection_string` or both URIs are given."""

    connection_string: str = field(repr=False)
    blob_service_uri: str
    queue_service_uri: str
    client_id: str
    incoming: str
    receipts: str
    ledger: str
    work_queue: str
    notice_queue: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the application is told from outside. `problems` maps a setting's name to what is wrong."""

    storage: StorageSettings
    identity: IdentitySettings
    limits: Limits
    po_part: str
    tender_part: str
    public_base_url: str
    """Where callers reach the app, with the route prefix; "" when requests tell."""
    watch_orders: bool
    """Whether orders are looked at until their status is final."""
    bindings: Bindings
    """Which customers callers and folders are bound to."""
    problems: Mapping[str, str]

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Settings:
        """Read all settings from `env`; whatever is missing or malformed is listed in `problems`."""
        return _Reader(env).settings()


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.problems: dict[str, str] = {}

    def settings(self) -> Settings:
        settings = Settings(
            storage=self.storage(),
            identity=self.identity(),
            limits=Limits(
                max_file=int(self.number("MAX_FILE_MB") * 1024 * 1024),
                max_files=self.count("MAX_FILES"),
                max_body=int(self.number("MAX_BODY_MB") * 1024 * 1024),
                request_seconds=self.number("REQUEST_SECONDS"),
                attachment_visibility=self.number("ATTACHMENT_VISIBILITY_SECONDS"),
                order_visibility=self.number("ORDER_VISIBILITY_SECONDS"),
                reseller_cache=self.number("RESELLER_CACHE_SECONDS"),
                calls_in_flight=self.count("MAX_CALLS_IN_FLIGHT"),
                require_pdf_end=self.flag("REQUIRE_PDF_END"),
                notice_after=self.number("NOTICE_AFTER_HOURS") * 3600,
            ),
            po_part=self.text("PO_PART_NAME"),
            tender_part=self.text("TENDER_PART_NAME"),
            public_base_url=self.url("PUBLIC_BASE_URL", "") if self.text("PUBLIC_BASE_URL") else "",
            watch_orders=self.flag("WATCH_ORDERS"),
            bindings=self.bindings(),
            problems=self.problems,
        )
        needed = seconds_to_send(settings.limits.max_body)
        if settings.limits.request_seconds < needed:
            self.problems["REQUEST_SECONDS"] = (
                f"must be at least {needed:g}: so long a body of MAX_BODY_MB takes to Partner Center"
            )
        source = self.text("BLOB_TRIGGER_SOURCE")
        if source not in ("EventGrid", "LogsAndContainerScan"):
            self.problems["BLOB_TRIGGER_SOURCE"] = "must be EventGrid or LogsAndContainerScan"
        self.check_forms()
        return settings

    def check_forms(self) -> None:
        """Look at every value that is given, whatever it is for; the plainest fault goes first."""
        for setting in SETTINGS:
            value = self.env.get(setting.name, "").strip()
            if setting.name == "PARTNER_CLIENT_CERTIFICATE_PASSWORD" and not value.startswith("@Microsoft."):
                continue  # anything may be a password
            if fault := stray(value):
                self.problems[setting.name] = fault
            elif value and setting.form:
                pattern, sentence = FORMS[setting.form]
                if not re.fullmatch(pattern, value):
                    self.problems[setting.name] = sentence

    def bindings(self) -> Bindings:
        """Which customers callers are bound to; keys tell nobody's roles."""
        text = self.text("CUSTOMER_BINDINGS")
        try:
            bindings = Bindings.read(text) if text else Bindings()
        except ValueError as error:
            self.problems["CUSTOMER_BINDINGS"] = str(error)
            return Bindings()
        if bindings.roles and not by_entra(self.env):
            self.problems["CUSTOMER_BINDINGS"] = "binds roles, which need AUTHENTICATION=entra"
        return bindings

    def text(self, name: str) -> str:
        return self.env.get(name, "").strip() or DEFAULTS[name]

    def required(self, name: str) -> str:
        value = self.env.get(name, "").strip()
        if not value:
            self.problems[name] = "is missing"
        return value

    def number(self, name: str) -> float:
        raw = self.text(name)
        try:
            value = float(raw)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            self.problems[name] = "must be a number greater than 0"
            return float(DEFAULTS[name])
        return value

    def flag(self, name: str) -> bool:
        value = self.text(name).lower()
        if value not in ("true", "false"):
            self.problems[name] = "must be true or false"
        return value == "true"

    def count(self, name: str) -> int:
        value = self.number(name)
        if value < 1 or value % 1:
            self.problems[name] = "must be a whole number of at least 1"
        return max(1, int(value))

    def url(self, name: str, default: str, *, plain_on_loopback: bool = True) -> str:
        value = (self.env.get(name, "").strip() or default).rstrip("/")
        parts = _split(value)
        loopback = plain_on_loopback and parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not is_https(value) and not (parts.scheme == "http" and loopback):
            allowed = " (http only on loopback)" if plain_on_loopback else ""
            self.problems[name] = f"must be an https URL{allowed}"
        elif parts.username is not None or parts.query or parts.fragment:
            self.problems[name] = "must hold no user, password, query or fragment"
        return value

    def storage(self) -> StorageSettings:
        connection = self.env.get(DOCUMENT_STORAGE, "").strip()
        blobs, queues = ("", "") if connection else self.endpoints()
        if queue_binding(self.env) == notice_queue(self.env):
            self.problems["NOTICE_QUEUE"] = "must be another queue than WORK_QUEUE"
        names = ("INCOMING_CONTAINER", "RECEIPTS_CONTAINER", "LEDGER_CONTAINER")
        if len({self.text(name) for name in names}) < len(names):
            self.problems["INCOMING_CONTAINER"] = "must be another container than the other two"
        return StorageSettings(
            connection_string=connection,
            blob_service_uri=blobs,
            queue_service_uri=queues,
            client_id=self.env.get(f"{DOCUMENT_STORAGE}__clientId", "").strip(),
            incoming=self.text("INCOMING_CONTAINER"),
            receipts=self.text("RECEIPTS_CONTAINER"),
            ledger=self.text("LEDGER_CONTAINER"),
            work_queue=queue_binding(self.env),
            notice_queue=notice_queue(self.env),
        )

    def endpoints(self) -> tuple[str, str]:
        """Where blobs and queues are when an identity connects to them; it sends its token over TLS only."""
        named = (
            f"{DOCUMENT_STORAGE}__{kind}" for kind in ("blobServiceUri", "serviceUri", "queueServiceUri")
        )
        blobs, older, queues = named
        blobs = blobs if self.env.get(blobs, "").strip() else older
        if not self.env.get(blobs, "").strip():
            self.problems[DOCUMENT_STORAGE] = "is missing"
            return "", ""
        at = self.url(blobs, "", plain_on_loopback=False)
        return at, self.url(queues, "", plain_on_loopback=False) if self.required(queues) else ""

    def cloud(self) -> Cloud:
        name = self.text("PARTNER_CENTER_CLOUD").lower()
        if name not in CLOUDS:
            self.problems["PARTNER_CENTER_CLOUD"] = f"must be one of {', '.join(CLOUDS)}"
        cloud = CLOUDS.get(name, CLOUDS["global"])
        base_url = self.url("PARTNER_CENTER_BASE_URL", cloud.base_url)
        if base_url.lower().endswith("/v1"):
            self.problems["PARTNER_CENTER_BASE_URL"] = "must not end in /v1, which every call begins with"
        return Cloud(
            base_url=base_url,
            # azure-identity and MSAL take no other
            authority=self.url("PARTNER_CENTER_AUTHORITY", cloud.authority, plain_on_loopback=False),
            audience=self.env.get("PARTNER_CENTER_AUDIENCE", "").strip().rstrip("/") or cloud.audience,
        )

    def identity(self) -> IdentitySettings:
        certificate = self.env.get("PARTNER_CLIENT_CERTIFICATE", "").strip()
        if certificate and not Path(certificate).is_file():
            self.problems["PARTNER_CLIENT_CERTIFICATE"] = "names a file that does not exist"
        vault = self.env.get("PARTNER_REFRESH_TOKEN_VAULT", "").strip()
        identity = IdentitySettings(
            cloud=self.cloud(),
            tenant_id=self.required("PARTNER_TENANT_ID"),
            client_id=self.required("PARTNER_CLIENT_ID"),
            client_secret=self.env.get("PARTNER_CLIENT_SECRET", "").strip(),
            certificate=certificate,
            certificate_password=self.env.get("PARTNER_CLIENT_CERTIFICATE_PASSWORD", ""),
            federated_credential=self.env.get("PARTNER_FEDERATED_CREDENTIAL", "").strip(),
            vault=self.url("PARTNER_REFRESH_TOKEN_VAULT", "") if vault else "",
            vault_secret=self.text("PARTNER_REFRESH_TOKEN_SECRET"),
            token_file=self.env.get("PARTNER_REFRESH_TOKEN_FILE", "").strip(),
        )
        if not identity.credentials:
            self.problems["PARTNER_CLIENT_SECRET"] = f"is missing (or {', or '.join(CREDENTIALS[1:])})"
        if len(identity.credentials) > 1:
            self.problems["PARTNER_CLIENT_SECRET"] = only_one(CREDENTIALS)
        if len(identity.token_stores) > 1:
            self.problems["PARTNER_REFRESH_TOKEN_FILE"] = only_one(TOKEN_STORES)
        return identity
