"""The calls to Entra's token endpoint: azure-identity for the application itself, MSAL for users.

Promises: each call has a time limit; a passing fault is tried once more; whatever goes wrong leaves as
EntraError or NotConfiguredError with no exception of a library behind it, whose frames hold tokens. The
libraries' own caches are not used: each call has fresh objects, so a refused token cannot come back out of
one. Nothing of the libraries is imported before the first call.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import requests

from shared.auth.configuration import known_to_microsoft
from shared.auth.credential import azure_credential, certificate_fault, msal_credential
from shared.auth.failures import EntraError, Refusal, explain, unreachable, unreadable
from shared.auth.secret import AccessToken, DeviceCode, Grant, Secret
from shared.auth.wire import MsalHttp, ResponseRecorder, UnreadableError
from shared.core.errors import AppError
from shared.settings import IdentitySettings

_T = TypeVar("_T")

ATTEMPTS = 2
"""A passing fault is tried once more; beyond that the caller's own retries are the better place."""
LONGEST_LIFE = 86400.0
"""Seconds for which a token is believed at most; Entra issues none that lives longer.
https://learn.microsoft.com/en-us/entra/identity-platform/configurable-token-lifetimes"""
SLOWER = 5
"""Seconds by which the interval grows with each slow_down: https://www.rfc-editor.org/rfc/rfc8628#section-3.5"""
WAITING = ("authorization_pending", "slow_down")
"""Entra's errors for a device code as long as the user has not signed in."""
LONGEST_PAUSE = 2.0
"""Longest Retry-After, in seconds, that is waited for here."""


class Entra:
    """Asks for tokens; knows the application's credential and keeps nothing."""

    def __init__(
        self,
        identity: IdentitySettings,
        *,
        timeout: float,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._identity = identity
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._limits = {"connection_timeout": timeout, "read_timeout": timeout, "retry_total": 0}
        _quieten()

    @property
    def user_scope(self) -> str:
        """The delegated permission that every call for a user needs."""
        return f"{self._identity.cloud.audience}/user_impersonation"

    def for_app(self) -> AccessToken:
        """Return a token of the application itself."""
        return self._patiently(self._app_token)

    def redeem(self, refresh_token: Secret) -> Grant:
        """Return what the refresh token yields; `EntraError.error` is invalid_grant when it is dead."""
        return self._for_user(
            lambda app: app.acquire_token_by_refresh_token(refresh_token.reveal(), [self.user_scope])
        )

    def exchange(self, assertion: Secret) -> AccessToken:
        """Return a token for the user whose token for this application `assertion` is (on-behalf-of)."""
        return self._for_user(
            lambda app: app.acquire_token_on_behalf_of(assertion.reveal(), [self.user_scope])
        ).access

    def sign_in(self, ask: Callable[[Any], Any]) -> Grant:
        """Return the grant of an interactive flow that `ask` leads MSAL through; nothing is tried twice."""
        return self._grant(ask)

    def start_device_code(self) -> DeviceCode:
        """Begin a sign-in on another device.

        MSAL offers this flow to public clients only, and a refresh token of a public client cannot be
        redeemed with a secret (AADSTS700025, as in https://github.com/canonical/authd/issues/1881). So the
        protocol client inside the confidential application is used. Entra gives such an application a code
        without a credential (https://github.com/MicrosoftDocs/azure-docs/issues/31986), and wants one, be it
        a federated one, in the token request:
        https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-device-code
        https://learn.microsoft.com/en-us/troubleshoot/entra/entra-id/app-integration/confidential-client-application-authentication-error-aadsts7000218
        """
        asked, scope = self._clock(), [self.user_scope, "offline_access", "openid"]
        return self._through_msal(
            lambda app: app.client.initiate_device_flow(scope=scope),
            lambda answer: _device_code_in(answer, asked),
        )

    def redeem_device_code(self, code: Secret) -> Grant:
        """Return the grant of a sign-in that was begun, without waiting for the user; nothing is tried twice.

        `EntraError.error` is one of WAITING as long as the user has not signed in.
        """
        return self._grant(
            lambda app: app.client.obtain_token_by_device_flow(
                {"device_code": code.reveal(), "interval": 1}, exit_condition=lambda _: True
            )
        )

    def _for_user(self, ask: Callable[[Any], Any]) -> Grant:
        return self._patiently(lambda: self._grant(ask))

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        for _ in range(ATTEMPTS - 1):
            try:
                return ask()
            except EntraError as error:
                pause = error.retry_after or 0.5
                if not error.retryable or pause > LONGEST_PAUSE:
                    raise
            self._sleep(pause)
        return ask()

    def _app_token(self) -> AccessToken:
        recorder = ResponseRecorder()
        fault: AppError
        behind = time.time() - self._clock()  # azure-identity reckons by the machine's clock
        try:
            with azure_credential(self._identity, self._limits, recorder) as app:
                token = app.get_token(f"{self._identity.cloud.audience}/.default")
                return access_token(token.token, token.expires_on - behind, self._clock())
        except AppError:
            raise
        except Exception as error:  # azure-identity wraps whatever happened; what was seen on the wire tells
            refusal = recorder.refusal
            fault = explain(refusal) if refusal else self._without_token(error, answered=recorder.answered)
        raise fault

    def _grant(self, ask: Callable[[Any], Any]) -> Grant:
        asked = self._clock()
        return self._through_msal(ask, lambda answer: _grant_in(answer, asked))

    def _through_msal(self, ask: Callable[[Any], Any], read: Callable[[Mapping[str, Any]], _T | None]) -> _T:
        """Return what `read` finds in an answer; it finds None in one that refuses."""
        with MsalHttp(self._timeout) as http:
            answer = self._ask_msal(http, ask, read)
        if isinstance(answer, AppError):
            raise answer
        return answer

    def _ask_msal(
        self, http: MsalHttp, ask: Callable[[Any], Any], read: Callable[[Mapping[str, Any]], _T | None]
    ) -> _T | AppError:
        from msal import ConfidentialClientApplication

        identity = self._identity
        try:
            answer = ask(
                ConfidentialClientApplication(
                    identity.client_id,
                    client_credential=msal_credential(identity, self._limits),
                    authority=f"{identity.cloud.authority}/{identity.tenant_id}",
                    instance_discovery=None if known_to_microsoft(identity) else False,
                    http_client=http,
                )
            )
            found = read(answer) if isinstance(answer, dict) else None
            if found is not None:
                return found
        except AppError as error:
            return error
        except Exception as error:  # MSAL lets requests' errors, ValueError, KeyError and TypeError through
            return (
                explain(http.refusal) if http.refusal else self._without_token(error, answered=http.answered)
            )
        return explain(http.refusal or _refusal_in(answer))

    def _without_token(self, error: BaseException, *, answered: bool) -> AppError:
        """Return our error for a failure for which Entra sent no error answer."""
        from azure.core.exceptions import ServiceRequestError, ServiceResponseError

        network = (requests.RequestException, ServiceRequestError, ServiceResponseError)
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, UnreadableError):
                break
            if isinstance(cause, network) and not isinstance(cause, requests.JSONDecodeError):
                return unreachable(f"Entra ({self._identity.cloud.authority})", type(cause).__name__)
            cause = cause.__cause__ or cause.__context__
        if self._identity.certificate and cause is None and not answered:
            return certificate_fault(self._identity.certificate)
        return unreadable(f"Entra ({self._identity.cloud.authority})")


def access_token(value: object, expires_on: float, now: float) -> AccessToken:
    """The token of an answer; ValueError when it cannot stand in a header, has no end that can be used, or is
    so short that it would be found, and cut out, in any text."""
    if not isinstance(value, str) or not re.fullmatch("[!-~]{16,}", value) or not expires_on > now:
        raise ValueError
    return AccessToken(value, min(expires_on, now + LONGEST_LIFE))


def _grant_in(answer: Mapping[str, Any], asked: float) -> Grant | None:
    if not {"access_token", "expires_in"} <= answer.keys():
        return None
    refresh = answer.get("refresh_token")
    return Grant(
        access_token(answer["access_token"], asked + float(answer["expires_in"]), asked),
        Secret(refresh) if refresh and isinstance(refresh, str) else None,
    )


def _device_code_in(answer: Mapping[str, Any], asked: float) -> DeviceCode | None:
    if "device_code" not in answer:
        return None
    lasts, interval = float(answer["expires_in"]), int(answer["interval"])
    if not 0 < lasts <= LONGEST_LIFE or interval > lasts:
        raise ValueError("a device code that lasts for ever")
    return DeviceCode(
        Secret(str(answer["device_code"])),
        str(answer["user_code"]),
        str(answer["verification_uri"]),
        str(answer["message"]),
        asked + lasts,
        max(1, interval),
    )


def _refusal_in(answer: object) -> Refusal:
    """Return the error that MSAL found without asking Entra, such as a declined sign-in."""
    known = answer if isinstance(answer, dict) else {}
    return Refusal(0, 0.0, json.dumps({k: str(known.get(k, "")) for k in ("error", "error_description")}))


def _quieten() -> None:
    """Keep out of the log what the libraries write: descriptions of accounts and requests, and at WARNING and
    ERROR the answers of Entra. What an operator needs of them stands in our own errors."""
    for name in ("azure.identity", "msal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if logging.getLogger("azure").level == logging.NOTSET:
        logging.getLogger("azure").setLevel(logging.WARNING)
