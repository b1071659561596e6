"""`python -m shared.tools.doctor`: is the identity fit for Partner Center? Nothing is changed there.

For each mode that is configured it gets a token, reads the token's claims, and makes one call that only
reads, asking Partner Center for its own opinion on MFA. It says what is wrong and who must act, and ends with
0 when nothing is. A token is never printed. A refresh token that is redeemed is written back, as in the app.

It lives in shared/auth and is deployed with it: the app's own console is the one place where the app's
settings and managed identity can be tried as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import requests
from requests.auth import AuthBase

from shared.auth.claims import claims_of, faults_in
from shared.auth.configuration import configuration_error
from shared.auth.mode import Mode, TokenSource
from shared.auth.source import TIMEOUT, Tokens
from shared.core.errors import AppError
from shared.partner_center.codes import advice
from shared.partner_center.reply import parse_error
from shared.partner_center.wire import RawResponse
from shared.settings import IdentitySettings, Settings

PROBES: Mapping[Mode, str] = {
    # https://learn.microsoft.com/en-us/partner-center/developer/get-a-list-of-customers
    Mode.APP: "/v1/customers?size=1",
    # https://learn.microsoft.com/en-us/partner-center/developer/retrieve-a-list-of-indirect-resellers
    Mode.APP_USER: "/v1/relationships?relationship_type=IsIndirectCloudSolutionProviderOf",
}
"""One call for each mode that is documented to work with it and that changes nothing."""

_REGISTRATION = (
    "Register the application in Partner Center (Settings, Account settings, App management), in this very "
    "tenant; the sandbox has its own."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `ok` is None for what is only said."""

    mode: Mode
    ok: bool | None
    text: str

    def __str__(self) -> str:
        mark = {True: "ok   ", False: "WRONG", None: "     "}[self.ok]
        return f"{self.mode:<9} {mark} {self.text}"


def examine(identity: IdentitySettings, tokens: TokenSource, now: float) -> Iterator[Finding]:
    """Yield what is found, mode by mode; `now` is in seconds since 1970."""
    for mode in Mode:
        lacking = configuration_error(identity, mode)
        if lacking is not None:
            yield Finding(mode, None, f"skipped: {lacking}")
        else:
            yield from _examine(identity, tokens, mode, now)


def _examine(identity: IdentitySettings, tokens: TokenSource, mode: Mode, now: float) -> Iterator[Finding]:
    try:
        token = tokens.get(mode)
    except AppError as error:
        yield Finding(mode, False, f"no token: {error}")
        return
    yield from judge_token(claims_of(token), identity, mode, now)
    yield from _probe(identity, token, mode)


def judge_token(
    claims: Mapping[str, object] | None, identity: IdentitySettings, mode: Mode, now: float
) -> Iterator[Finding]:
    """Yield what a token's claims say; decides nothing about a token that cannot be read."""
    if claims is None:
        yield Finding(mode, None, "the token is opaque, so its claims cannot be read")
        return
    expires = claims.get("exp")
    minutes = int((expires - now) / 60) if isinstance(expires, int | float) else 0
    ids = f"aud {claims.get('aud')}, tid {claims.get('tid')}, appid {claims.get('appid')}"
    yield Finding(mode, True, f"token for {ids}; ends in {minutes} minutes")
    for fault in faults_in(claims, identity, mode, now):
        yield Finding(mode, False, fault)
    if mode is Mode.APP_USER and "amr" not in claims:
        yield Finding(mode, None, "the token does not say how the user signed in (no amr)")


def judge_answer(mode: Mode, reply: RawResponse) -> Iterator[Finding]:
    """Yield what Partner Center's answer to the probe says; header names are in lower case."""
    ids = f"MS-CorrelationId {reply.headers.get('ms-correlationid', 'none')}"
    call = f"GET {PROBES[mode]}"
    if 200 <= reply.status < 300:
        yield Finding(mode, True, f"{call}: {reply.status} ({ids})")
    else:
        fault = parse_error(reply)
        code = f", code {fault.code}" if fault.code else ""
        yield Finding(mode, False, f"{call}: {reply.status}{code}. {_remedy(reply, fault.code)} ({ids})")
    # https://www.microsoftpartnercommunity.com/t5/Blog-Discussions/How-to-validate-your-solution/td-p/8315
    compliant = reply.headers.get("ismfacompliant", "").strip().lower()
    if mode is Mode.APP_USER and compliant:
        text = f"Partner Center says isMfaCompliant: {compliant}"
        yield Finding(mode, compliant == "true", text)


def _remedy(reply: RawResponse, code: str) -> str:
    found = advice(reply.status, code).remedy
    if reply.status == 401 and code not in ("10001", "900421", "900420"):
        return f"{found} {_REGISTRATION}"
    return found


def _probe(identity: IdentitySettings, token: str, mode: Mode) -> Iterator[Finding]:
    headers = {
        "Accept": "application/json",
        "MS-RequestId": str(uuid.uuid4()),
        "MS-CorrelationId": str(uuid.uuid4()),
        "ValidateMfa": "true",
    }
    url = f"{identity.cloud.base_url}{PROBES[mode]}"
    try:
        with requests.get(
            url, headers=headers, auth=_Bearer(token), timeout=TIMEOUT, allow_redirects=False
        ) as response:
            answered = {name.lower(): value for name, value in response.headers.items()}
            reply = RawResponse(response.status_code, answered, response.content)
    except requests.RequestException as error:
        yield Finding(mode, False, f"{identity.cloud.base_url} did not answer ({type(error).__name__})")
        return
    yield from judge_answer(mode, reply)


class _Bearer(AuthBase):
    """The token, given this way so that no .netrc takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def report(settings: Settings, tokens: TokenSource, say: Callable[[str], object], now: float) -> int:
    """Say everything that is found and return the exit code: 0 when some mode works and none fails."""
    for name, problem in settings.problems.items():
        if name.startswith("PARTNER_"):
            say(f"{'settings':<9} WRONG {name} {problem}\n")
    findings = []
    for finding in examine(settings.identity, tokens, now):
        say(f"{finding}\n")
        findings.append(finding)
    verdicts = [finding.ok for finding in findings if finding.ok is not None]
    return 0 if verdicts and all(verdicts) else 1


def main(arguments: list[str], env: Mapping[str, str], say: Callable[[str], object]) -> int:
    """Run the command; returns the exit code."""
    argparse.ArgumentParser(prog="python -m shared.tools.doctor", description=__doc__).parse_args(arguments)
    settings = Settings.read(env)
    return report(settings, Tokens(settings.identity), say, time.time())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout.write))
