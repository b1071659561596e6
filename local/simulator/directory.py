"""What the simulated Entra knows and decides: one tenant, one application, its grants. No sockets here.

Error shapes and numbers: https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
Grants: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow and its neighbours.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jwt
from cryptography import x509

from local.simulator.tokens import mint, read

USER = "adele@partner.example"
EXCHANGE = "api://AzureADTokenExchange"
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class OAuthError(Exception):
    """An error answer: OAuth error code, AADSTS number, what Entra says, HTTP status."""

    def __init__(self, error: str, number: int, said: str, status: int = 400) -> None:
        super().__init__(f"AADSTS{number}")
        self.error, self.number, self.said, self.status = error, number, said, status


@dataclass(frozen=True, slots=True)
class Registration:
    """The application. A credential that is empty does not exist."""

    tenant_id: str
    client_id: str
    audience: str = "https://api.partnercenter.microsoft.com"
    secret: str = field(default="", repr=False)
    expired_secret: str = field(default="", repr=False)
    certificate: bytes = b""
    """Its public certificate, PEM."""
    trusted_identity: str = ""
    """Object id of the managed identity that its federated credential trusts."""


@dataclass(slots=True)
class Policy:
    """How the directory behaves; tests turn these while it runs. Times in seconds."""

    expires_in: int = 3600
    mfa: bool = True
    """Whether users' tokens say that they signed in with MFA."""
    rotate: bool = True
    """Whether redeeming a refresh token yields a new one."""
    old_uses: int | None = None
    """How often a refresh token can be redeemed; None, as Entra does it, means always."""
    declined: bool = False
    """Whether the user declines to sign in."""
    slow_device: int = 1
    """How often a device code's poll is told to wait."""
    device_times: Mapping[str, object] = field(default_factory=lambda: {"expires_in": 900, "interval": 1})
    """What is said of a device code's life and of how often to ask."""
    hasty: int = 0
    """How often a device code's poll is told, before that, that it came too soon."""
    user_tenant: str = ""
    """The tenant in users' tokens; "" is the application's own."""


@dataclass(slots=True)
class _Code:
    redirect_uri: str
    challenge: str
    nonce: str


@dataclass(slots=True)
class _Device:
    expires: float
    hasty: int
    waits: int


class Directory:
    """Issues tokens signed with `key` (tokens.read); safe for threads."""

    def __init__(
        self, registration: Registration, key: bytes, clock: Callable[[], float] = time.time
    ) -> None:
        self.registration = registration
        self.policy = Policy()
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._refresh: dict[str, int] = {}
        self._codes: dict[str, _Code] = {}
        self._devices: dict[str, _Device] = {}

    def issue_refresh_token(self) -> str:
        """Return a new refresh token, as one minted elsewhere would be."""
        token = f"1.refresh-{secrets.token_urlsafe(24)}"
        self._refresh[token] = 0
        return token

    def revoke(self, token: str) -> None:
        """Forget a refresh token: redeeming it says AADSTS700082 from now on."""
        self._refresh.pop(token, None)

    def issue_user_assertion(self, audience: str = "") -> str:
        """Return a token of a user for the application itself, as a web frontend has one."""
        return self._mint({"aud": audience or self.registration.client_id, "scp": "access_as_user"})

    def check_tenant(self, tenant: str) -> None:
        """Raise OAuthError unless `tenant` exists."""
        if tenant != self.registration.tenant_id:
            raise OAuthError("invalid_request", 90002, "Tenant was not found.")

    def authorize(self, query: Mapping[str, str]) -> dict[str, str]:
        """Let the user sign in and return the fields that go back to the redirect URI."""
        self._check_scope(query.get("scope", ""), "user_impersonation")
        redirect = query.get("redirect_uri", "")
        if not redirect.startswith("http://localhost"):
            raise OAuthError("invalid_request", 50011, "The redirect URI does not match.")
        if self.policy.declined:
            refusal = OAuthError("access_denied", 65004, "User declined to consent to access the app.")
            return {
                "error": refusal.error,
                "error_description": f"AADSTS{refusal.number}: {refusal.said}",
                "state": query.get("state", ""),
            }
        code = f"0.code-{secrets.token_urlsafe(16)}"
        self._codes[code] = _Code(redirect, query.get("code_challenge", ""), query.get("nonce", ""))
        return {"code": code, "state": query.get("state", "")}

    def start_device(self, form: Mapping[str, str]) -> dict[str, object]:
        """Return a new device code."""
        self._check_scope(form.get("scope", ""), "user_impersonation")
        code = f"device-{secrets.token_urlsafe(16)}"
        self._devices[code] = _Device(self._clock() + 900, self.policy.hasty, self.policy.slow_device)
        return {
            "device_code": code,
            "user_code": "LOCAL1234",
            "verification_uri": "https://localhost/devicelogin",
            **self.policy.device_times,
            "message": "To sign in, open https://localhost/devicelogin and enter the code LOCAL1234.",
        }

    def token(self, form: Mapping[str, str], endpoint: str) -> dict[str, object]:
        """Answer a token request that came to `endpoint`; raises OAuthError."""
        self._check_client(form, endpoint)
        grants: dict[str, Callable[[Mapping[str, str]], dict[str, object]]] = {
            "client_credentials": self._for_app,
            "refresh_token": self._for_refresh_token,
            "authorization_code": self._for_code,
            "urn:ietf:params:oauth:grant-type:device_code": self._for_device,
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._for_assertion,
        }
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            raise OAuthError("unsupported_grant_type", 70003, "The grant type is not supported.")
        with self._lock:
            return grant(form)

    def _check_client(self, form: Mapping[str, str], endpoint: str) -> None:
        app = self.registration
        if form.get("client_id") != app.client_id:
            raise OAuthError("unauthorized_client", 700016, "Application was not found in the directory.")
        if "client_assertion" in form:
            if form.get("client_assertion_type") != _JWT_BEARER:
                raise OAuthError("invalid_client", 70002, "Wrong client_assertion_type.", 401)
            self._check_assertion(form["client_assertion"], endpoint)
        elif "client_secret" not in form:
            raise OAuthError("invalid_client", 7000218, "A client_assertion or client_secret is needed.", 401)
        elif app.expired_secret and form["client_secret"] == app.expired_secret:
            raise OAuthError("invalid_client", 7000222, "The provided client secret keys are expired.", 401)
        elif not app.secret or form["client_secret"] != app.secret:
            raise OAuthError("invalid_client", 7000215, "Invalid client secret provided.", 401)

    def _check_assertion(self, assertion: str, endpoint: str) -> None:
        app = self.registration
        try:
            identity = read(assertion, self._key)
        except jwt.InvalidTokenError:
            self._check_certificate(assertion, endpoint)
            return
        if identity.get("aud") != EXCHANGE:
            raise OAuthError(
                "invalid_client", 700212, "No matching federated identity record: audience.", 401
            )
        if not app.trusted_identity or identity.get("sub") != app.trusted_identity:
            raise OAuthError("invalid_client", 700213, "No matching federated identity record: subject.", 401)

    def _check_certificate(self, assertion: str, endpoint: str) -> None:
        app = self.registration
        if not app.certificate:
            raise OAuthError("invalid_client", 700027, "The certificate is not registered.", 401)
        certificate = x509.load_pem_x509_certificate(app.certificate)
        try:
            claims = jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]  # an RSA key, made by pki.py
                algorithms=["RS256", "PS256"],
                audience=endpoint,
            )
        except jwt.PyJWTError:
            raise OAuthError("invalid_client", 700027, "Client assertion failed validation.", 401) from None
        if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
            raise OAuthError("invalid_client", 700027, "Issuer or subject is not the client.", 401)

    def _check_scope(self, scope: str, *permissions: str) -> None:
        asked = [s for s in scope.split() if s not in ("openid", "profile", "offline_access")]
        if len(asked) != 1 or "/" not in asked[0]:
            raise OAuthError("invalid_scope", 70011, "The provided value for 'scope' is not valid.")
        resource, _, permission = asked[0].rpartition("/")
        if resource != self.registration.audience:
            raise OAuthError(
                "invalid_resource", 500011, "The resource principal was not found in the tenant."
            )
        if permission not in permissions:
            raise OAuthError("invalid_grant", 65001, "The user or administrator has not consented.")

    def _for_app(self, form: Mapping[str, str]) -> dict[str, object]:
        self._check_scope(form.get("scope", ""), ".default")
        return self._answer({"idtyp": "app"})

    def _for_refresh_token(self, form: Mapping[str, str]) -> dict[str, object]:
        self._check_scope(form.get("scope", ""), "user_impersonation", ".default")
        token, policy = form.get("refresh_token", ""), self.policy
        if not token.startswith("1."):
            raise OAuthError("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
        used = self._refresh.get(token)
        if used is None or (policy.old_uses is not None and used > policy.old_uses):
            raise OAuthError("invalid_grant", 700082, "The refresh token has expired due to inactivity.")
        self._refresh[token] = used + 1
        return self._for_user(token if not policy.rotate else self.issue_refresh_token())

    def _for_code(self, form: Mapping[str, str]) -> dict[str, object]:
        code = self._codes.pop(form.get("code", ""), None)
        proof = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        if code is None or code.redirect_uri != form.get("redirect_uri") or code.challenge != challenge:
            raise OAuthError(
                "invalid_grant", 70000, "The code, redirect URI or code verifier does not match."
            )
        return {
            **self._for_user(self.issue_refresh_token()),
            "id_token": self._mint({"aud": self.registration.client_id, "nonce": code.nonce}),
        }

    def _for_device(self, form: Mapping[str, str]) -> dict[str, object]:
        code = form.get("device_code", "")
        if code not in self._devices:
            raise OAuthError("invalid_grant", 70000, "The device code is unknown.")
        device = self._devices[code]
        if self._clock() >= device.expires:
            raise OAuthError("expired_token", 70019, "The verification code has expired.")
        if device.hasty > 0:
            device.hasty -= 1
            raise OAuthError("slow_down", 0, "Asked too soon.")
        if device.waits > 0:
            device.waits -= 1
            raise OAuthError("authorization_pending", 70016, "The user has not signed in yet.")
        del self._devices[code]
        if self.policy.declined:
            raise OAuthError("authorization_declined", 65004, "User declined to consent to access the app.")
        return self._for_user(self.issue_refresh_token())

    def _for_assertion(self, form: Mapping[str, str]) -> dict[str, object]:
        self._check_scope(form.get("scope", ""), "user_impersonation", ".default")
        if form.get("requested_token_use") != "on_behalf_of":
            raise OAuthError("invalid_request", 900144, "requested_token_use is missing.")
        try:
            user = read(form.get("assertion", ""), self._key)
        except jwt.InvalidTokenError:
            raise OAuthError("invalid_grant", 50013, "Assertion failed signature validation.") from None
        if user.get("aud") not in (self.registration.client_id, f"api://{self.registration.client_id}"):
            raise OAuthError("invalid_grant", 500131, "Assertion audience does not match the client app.")
        return self._for_user(self.issue_refresh_token())

    def _for_user(self, refresh_token: str) -> dict[str, object]:
        policy = self.policy
        methods = ["pwd", "mfa"] if policy.mfa else ["pwd"]
        told = {"scp": "user_impersonation", "amr": methods, "upn": USER}
        answer = self._answer({**told, "tid": policy.user_tenant or self.registration.tenant_id})
        return {**answer, "refresh_token": refresh_token, "scope": f"{answer['aud']}/user_impersonation"}

    def _answer(self, claims: dict[str, object]) -> dict[str, object]:
        token = self._mint({"aud": self.registration.audience, **claims})
        return {
            "token_type": "Bearer",
            "expires_in": self.policy.expires_in,
            "ext_expires_in": self.policy.expires_in,
            "access_token": token,
            "aud": self.registration.audience,
        }

    def _mint(self, claims: dict[str, object]) -> str:
        app, now = self.registration, int(self._clock())
        common = {
            "iss": f"https://localhost/{app.tenant_id}/v2.0",
            "tid": app.tenant_id,
            "appid": app.client_id,
            "sub": "0d4f9b5e-user",
            "iat": now,
            "exp": now + self.policy.expires_in,
            "uti": secrets.token_urlsafe(8),
        }
        return mint({**common, **claims}, self._key)
