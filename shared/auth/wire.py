"""Between the libraries and the network: what was refused is noted, and no token answer reaches a log.

MSAL and azure-identity log an answer that is not JSON with its text, and an answer that broke off in the
middle holds a token. So an unreadable answer ends here, whatever its status, before they see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import requests

from shared.auth.failures import Refusal
from shared.core.moments import http_date, retry_after

_Pairs = Mapping[str, str] | None

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse


class UnreadableError(Exception):
    """The answer is not JSON."""


class MsalHttp:
    """MSAL's `http_client`: post, get and close. `refusal` is the last error answer that was seen,
    `answered` whether a POST was answered."""

    def __init__(self, timeout: float) -> None:
        self._session = requests.Session()
        self._timeout = timeout
        self.refusal: Refusal | None = None
        self.answered = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def post(
        self, url: str, params: _Pairs = None, data: _Pairs = None, headers: _Pairs = None, **_: object
    ) -> requests.Response:
        """POST as MSAL does; raises UnreadableError and requests' own errors."""
        response = self._session.post(
            url,
            params=params,
            data=data,
            headers=headers,
            timeout=self._timeout,
            allow_redirects=False,
        )
        self.answered = True
        return self._seen(response)

    def get(self, url: str, params: _Pairs = None, headers: _Pairs = None, **_: object) -> requests.Response:
        """GET as MSAL does; raises UnreadableError and requests' own errors."""
        return self._seen(
            self._session.get(
                url, params=params, headers=headers, timeout=self._timeout, allow_redirects=False
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _seen(self, response: requests.Response) -> requests.Response:
        self.refusal = None
        if response.status_code >= 400:
            self.refusal = Refusal(
                response.status_code, _seconds_to_wait(response.headers), response.text[:8192]
            )
        if not _is_json(response):
            raise UnreadableError
        return response


class ResponseRecorder:
    """azure-identity's `raw_response_hook`. `refusal` is the last error answer that was seen, `answered`
    whether any answer was."""

    def __init__(self) -> None:
        self.refusal: Refusal | None = None
        self.answered = False

    def __call__(self, response: PipelineResponse[Any, Any]) -> None:
        """Look at an answer before azure-identity does; raises UnreadableError."""
        answer = response.http_response
        self.refusal, self.answered = None, True
        if answer.status_code >= 400:
            self.refusal = Refusal(answer.status_code, _seconds_to_wait(answer.headers), answer.text()[:8192])
        if not _is_json(answer):
            raise UnreadableError


def _seconds_to_wait(headers: Mapping[str, str]) -> float:
    """The seconds of a Retry-After header, 0 when it is absent."""
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, retry_after(headers.get("Retry-After", ""), now) or 0.0)


def _is_json(response: Any) -> bool:  # noqa: ANN401 - requests' answer, or azure-core's
    try:
        return isinstance(response.json(), dict)
    except (ValueError, RecursionError):
        return False
