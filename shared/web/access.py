"""Whether a request may do what it asks for: function keys, or app roles behind App Service authentication.

With keys the Functions host decides before any code of ours runs, and what a request says of its sender is
ignored. With Entra the routes are open to the host: App Service authentication stands in front, checks every
token, takes from outside requests the headers that name a caller, and sets them for who is signed in.
https://learn.microsoft.com/en-us/azure/app-service/configure-authentication-user-identities
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import azure.functions as func

from shared.core.access import ANYBODY, Caller, Role
from shared.core.errors import ForbiddenError, NotConfiguredError, SignInError
from shared.settings_table import by_entra

if TYPE_CHECKING:
    from shared.core.bindings import Bindings

PRINCIPAL = "x-ms-client-principal"
"""Base64 of `{"auth_typ", "name_typ", "role_typ", "claims": [{"typ", "val"}]}`."""
GUARD = "WEBSITE_AUTH_ENABLED"
"""Set by the platform where App Service authentication is on; without it anybody could send PRINCIPAL.
https://learn.microsoft.com/en-us/azure/app-service/reference-app-settings#authentication--authorization"""

_BINDINGS = "CUSTOMER_BINDINGS"
_ROLES = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
_NAMES = (
    "preferred_username",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    "name",
    "azp",
    "appid",
)
"""Claims that name a caller, the plainest first; an application has the last two alone."""
_OBJECTS = ("http://schemas.microsoft.com/identity/claims/objectidentifier", "oid")
_LONGEST_NAME = 100

_caller: ContextVar[Caller] = ContextVar("caller", default=ANYBODY)


def level(*, operator: bool = False) -> func.AuthLevel:
    """What the host asks for on a route, decided while the app is being indexed: a function key, for an
    operator the master key, and nothing where app roles decide."""
    if by_entra(os.environ):
        return func.AuthLevel.ANONYMOUS
    return func.AuthLevel.ADMIN if operator else func.AuthLevel.FUNCTION


def faults() -> Mapping[str, str]:
    """What keeps every caller out, by the name of the setting."""
    if by_entra(os.environ) and os.environ.get(GUARD, "").strip().lower() != "true":
        return {"AUTHENTICATION": f"is entra, but App Service authentication is not on ({GUARD} is not true)"}
    return {}


def current() -> Caller:
    """Who sent the request that is being answered."""
    return _caller.get()


def admit(req: func.HttpRequest, roles: Sequence[Role]) -> None:
    """Let a request through when its sender holds one of `roles`, and may act for the customer of its path.

    Raises SignInError, ForbiddenError, NotConfiguredError (nothing stands in front, or the bindings cannot be
    read: then nobody is let through).
    """
    caller = _signed_in(req, roles) if by_entra(os.environ) else ANYBODY
    _caller.set(caller)
    customer = req.route_params.get("customerId")
    if customer is not None:
        require_customer(customer)


def require_customer(customer: str) -> None:
    """Raises ForbiddenError when the caller may not act for that customer; "" stands for an unknown one."""
    if not current().may_act_for(customer):
        raise ForbiddenError("The caller may not act for this customer.")


def _signed_in(req: func.HttpRequest, roles: Sequence[Role]) -> Caller:
    for name, fault in faults().items():
        raise NotConfiguredError(f"{name} {fault}", [name])
    bindings = _bindings(os.environ.get(_BINDINGS, "").strip())
    principal = _decoded(str(req.headers.get(PRINCIPAL, "")))
    held = frozenset(_values(principal, (str(principal.get("role_typ", "")), *_ROLES)))
    if not principal.get("claims"):
        raise SignInError("The request carries no access token of a signed-in caller.")
    if held.isdisjoint(roles):
        raise ForbiddenError(f"The caller needs one of the app roles {', '.join(roles)}.")
    return Caller(_name(principal), bindings.customers_of(held))


@cache
def _bindings(setting: str) -> Bindings:
    from shared.core.bindings import Bindings  # it brings pydantic, which a cold start does not wait for

    try:
        return Bindings.read(setting) if setting else Bindings()
    except ValueError as error:
        raise NotConfiguredError(f"{_BINDINGS} {error}", [_BINDINGS]) from None


def _decoded(header: str) -> Mapping[str, Any]:
    """What the header says; nothing when it cannot be read."""
    try:
        principal = json.loads(base64.b64decode(header, validate=True))
    except (ValueError, RecursionError):
        return {}
    return principal if isinstance(principal, dict) else {}


def _values(principal: Mapping[str, Any], kinds: Sequence[str]) -> Iterator[str]:
    """The values of the claims of these kinds, in the order of the kinds."""
    claims = principal.get("claims")
    told = [claim for claim in claims if isinstance(claim, dict)] if isinstance(claims, list) else []
    for kind in kinds:
        yield from (str(claim.get("val", "")) for claim in told if kind and claim.get("typ") == kind)


def _name(principal: Mapping[str, Any]) -> str:
    """Who it is, for records: a name that people know, and the object id that stays when names change."""
    known = next(_values(principal, (*_NAMES, str(principal.get("name_typ", "")))), "")
    name = re.sub(r"[^ -~]", "?", known)[:_LONGEST_NAME].strip() or "unnamed"
    thing = re.sub(r"[^0-9A-Za-z-]", "", next(_values(principal, _OBJECTS), ""))[:36]
    return f"{name} ({thing})" if thing else name
