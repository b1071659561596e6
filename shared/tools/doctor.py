"""`python -m shared.tools.doctor`, `GET operator/doctor`: is the identity fit for Partner Center? Nothing is
changed there.

For each mode that is configured it gets a token, reads the token's claims, and makes one call that only
reads, asking Partner Center for its own opinion on MFA. It says what is wrong and who must act, and ends with
0 when nothing is. A token is never printed. A refresh token that is redeemed is written back, as in the app.

It is deployed with the app: inside it is the one place where the app's settings and managed identity can be
tried as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
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
    """One line of the report: a mode, or `settings`; `ok` is None for what is only said."""

    name: str
    ok: bool | None
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {True: "ok   ", False: "WRONG", None: "     "}[self.ok]
        return f"{self.name:<9} {mark} {self.detail}{f': {self.remedy}' if self.remedy else ''}"


def examine(settings: Settings, tokens: TokenSource, now: float) -> Iterator[Finding]:
    """Yield what is found: the settings first, then mode by mode; `now` is in seconds since 1970."""
    yield from judge_settings(settings)
    for mode in Mode:
        yield from examine_mode(settings.identity, tokens, mode, now)


def judge_settings(settings: Settings) -> Iterator[Finding]:
    """Yield which settings of the identity are faulty; never their values."""
    for name, problem in settings.problems.items():
        if name.startswith("PARTNER_"):
            yield Finding("settings", False, f"{name} {problem}")


def examine_mode(
    identity: IdentitySettings, tokens: TokenSource, mode: Mode, now: float
) -> Iterator[Finding]:
    """Yield what is found for one mode."""
    lacking = configuration_error(identity, mode)
    if lacking is not None:
        yield Finding(mode, None, f"skipped: {lacking}")
        return
    try:
        token = tokens.get(mode)
    except AppError as error:
        yield Finding(mode, False, f"no token: {error}", error.remedy)
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
        yield Finding(mode, False, fault.detail, fault.remedy)
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
        yield Finding(mode, False, f"{call}: {reply.status}{code} ({ids})", _remedy(reply, fault.code))
    # https://www.microsoftpartnercommunity.com/t5/Blog-Discussions/How-to-validate-your-solution/td-p/8315
    compliant = reply.headers.get("ismfacompliant", "").strip().lower()
    if mode is Mode.APP_USER and compliant:
        fine = compliant == "true"
        what_to_do = "" if fine else "require MFA for the user, then consent anew (docs/identity.md)"
        yield Finding(mode, fine, f"Partner Center says isMfaCompliant: {str(fine).lower()}", what_to_do)


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


def sound(findings: Iterable[Finding]) -> bool:
    """Whether some mode works, and nothing is wrong."""
    verdicts = [finding.ok for finding in findings if finding.ok is not None]
    return bool(verdicts) and all(verdicts)


def report(settings: Settings, tokens: TokenSource, say: Callable[[str], object], now: float) -> int:
    """Say everything that is found and return the exit code: 0 when it is sound."""
    findings = []
    for finding in examine(settings, tokens, now):
        say(f"{finding}\n")
        findings.append(finding)
    return 0 if sound(findings) else 1


def within(settings: Settings, seconds: float) -> list[Finding]:
    """What is found in at most that time, with tokens that are asked for anew; what is not found by then is
    a finding as well. Whatever is still asked for goes on by itself: each call has a limit of its own."""
    tokens, now = Tokens(settings.identity), time.time()
    found: dict[Mode, list[Finding]] = {mode: [] for mode in Mode}

    def look(mode: Mode) -> None:
        for finding in examine_mode(settings.identity, tokens, mode, now):
            found[mode].append(finding)

    pool = ThreadPoolExecutor(len(Mode), "doctor")
    looks = {mode: pool.submit(look, mode) for mode in Mode}
    pool.shutdown(wait=False)
    wait(looks.values(), seconds)
    findings = list(judge_settings(settings))
    for mode, looked in looks.items():
        findings += found[mode]
        if looked.done():
            looked.result()
        else:
            detail = f"not answered within {seconds:.0f} seconds"
            findings.append(Finding(mode, False, detail, "check the network, and look again"))
    return findings


def main(arguments: list[str], env: Mapping[str, str], say: Callable[[str], object]) -> int:
    """Run the command; returns the exit code."""
    argparse.ArgumentParser(prog="python -m shared.tools.doctor", description=__doc__).parse_args(arguments)
    settings = Settings.read(env)
    return report(settings, Tokens(settings.identity), say, time.time())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout.write))
