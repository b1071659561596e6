"""What an administrator asks of the app's identity: a user's consent, and the doctor. The first
call loads it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime

import azure.functions as func

from shared.audit_log import log_event
from shared.container import services
from shared.services.consents import Started, Waiting
from shared.settings import Settings
from shared.tools import doctor
from shared.validation.consents import consent_asked_for
from shared.web import access, responses
from shared.web.problem import correlation_id


def consent(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `consent`."""
    key = consent_asked_for(responses.json_body(req))
    s = services()
    if not key:
        return _begun(s.consents.start())
    deadline = s.deadline()
    outcome = s.consents.complete(key)
    if isinstance(outcome, Waiting):
        return responses.shown({"state": "pending", "retryAfter": outcome.seconds})
    _log("consent stored", user=outcome.user, mfa=outcome.mfa)
    told = {"user": outcome.user, "mfa": outcome.mfa}
    return responses.shown(
        {
            "state": "stored",
            **{name: value for name, value in told.items() if value not in (None, "")},
            "doctor": _report(doctor.within(s.settings, deadline.remaining())),
        }
    )


def examine(req: func.HttpRequest) -> func.HttpResponse:
    """Answer `doctor`, also where other settings keep the app from working."""
    settings = Settings.read(os.environ)
    return responses.shown(_report(doctor.within(settings, settings.limits.request_seconds)))


def _begun(started: Started) -> func.HttpResponse:
    device = started.device
    _log("consent begun")
    return responses.shown(
        {
            "state": "pending",
            "consent": started.key,
            "verificationUri": device.verification_uri,
            "userCode": device.user_code,
            "message": device.message,
            "expires": datetime.fromtimestamp(device.expires_on, UTC).isoformat(timespec="seconds"),
            "retryAfter": device.interval,
        }
    )


def _report(findings: Sequence[doctor.Finding]) -> dict[str, object]:
    checks = []
    for finding in findings:
        check: dict[str, object] = {"name": str(finding.name), "detail": finding.detail}
        if finding.ok is not None:
            check["ok"] = finding.ok
        if finding.remedy:
            check["remedy"] = finding.remedy
        checks.append(check)
    return {"ok": doctor.sound(findings), "checks": checks}


def _log(event: str, **fields: object) -> None:
    log_event(event, by=access.current().name, correlationId=correlation_id(), **fields)
