"""Pooled connections to one server: the proxies and the authorities are those of the environment."""

from __future__ import annotations

import logging
import socket
import ssl
from functools import cache
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, select_proxy
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from shared.core.errors import NotConfiguredError


def connections(url: str, most: int, **options: Any) -> urllib3.PoolManager:  # noqa: ANN401  # as urllib3 has them
    """Connections to the server of `url`, of which `most` are kept.

    HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE and their kin are read here, once, as requests reads them for
    each request. Idle connections are probed, so that one that a firewall has forgotten is not used for an
    order: Azure forgets idle outbound flows after 4 minutes; a request on such a connection is sent and
    never answered. https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-tcp-idle-timeout

    Raises NotConfiguredError when proxy or authorities cannot be used.
    """
    environment = requests.Session().merge_environment_settings(url, {}, None, None, None)
    bundle = environment["verify"] if isinstance(environment["verify"], str) else DEFAULT_CA_BUNDLE_PATH
    try:
        context = _trusting(bundle)
    except OSError as error:
        raise _unusable("REQUESTS_CA_BUNDLE", error) from None
    options |= {"num_pools": 1, "maxsize": most, "socket_options": _probed(), "ssl_context": context}
    try:
        return _pool(select_proxy(url, environment["proxies"]), options)
    except (HTTPError, ValueError) as error:
        raise _unusable(f"{url.partition(':')[0].upper()}_PROXY", error) from None


def _pool(proxy: str | None, options: dict[str, Any]) -> urllib3.PoolManager:
    if not proxy:
        return urllib3.PoolManager(**options)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    user = ":".join(get_auth_from_url(proxy))
    secret = urllib3.make_headers(proxy_basic_auth=user) if user != ":" else None
    trusted = options["ssl_context"]
    return urllib3.ProxyManager(proxy, proxy_headers=secret, proxy_ssl_context=trusted, **options)


@cache
def _trusting(bundle: str) -> ssl.SSLContext:
    """One for all connections: loading the authorities costs 18 ms and 0.7 MiB each time."""
    context = create_urllib3_context()
    context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
    return context


def _unusable(name: str, error: Exception) -> NotConfiguredError:
    return NotConfiguredError(f"the value of {name} cannot be used ({type(error).__name__})", [name])


def _tells_no_secret(record: logging.LogRecord) -> bool:
    """Of what urllib3 logs, at WARNING what it tries again, keep what holds no signature and nothing that the
    other side said: paths without a query, kinds of errors; and not what it could not parse of a header."""
    if isinstance(record.args, tuple):
        record.args = tuple(_plain(argument) for argument in record.args)
    return not record.exc_info


def _plain(argument: object) -> object:
    if isinstance(argument, Exception):
        return type(argument).__name__
    return argument.partition("?")[0] if isinstance(argument, str) else argument


for _logger in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
    logging.getLogger(_logger).addFilter(_tells_no_secret)


def _probed() -> list[tuple[int, int, int]]:
    probing = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, name):
            probing.append((socket.IPPROTO_TCP, getattr(socket, name), 30))
    return [*HTTPConnection.default_socket_options, *probing]
