"""Pooled connections to one server: the proxies and the authorities are those of the environment."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, select_proxy
from urllib3.connection import HTTPConnection


def connections(url: str, most: int, **options: Any) -> urllib3.PoolManager:  # noqa: ANN401  # as urllib3 has them
    """Connections to the server of `url`, of which `most` are kept.

    HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE and their kin are read here, once, as requests reads them for
    each request. Idle connections are probed, so that one that a firewall has forgotten is not used for an
    order: Azure forgets idle outbound flows after 4 minutes; a request on such a connection is sent and
    never answered. https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-tcp-idle-timeout
    """
    environment = requests.Session().merge_environment_settings(url, {}, None, None, None)
    trusted = environment["verify"] if isinstance(environment["verify"], str) else DEFAULT_CA_BUNDLE_PATH
    options |= {
        "num_pools": 1,
        "maxsize": most,
        "socket_options": _probed(),
        "ca_cert_dir" if Path(trusted).is_dir() else "ca_certs": trusted,
    }
    proxy = select_proxy(url, environment["proxies"])
    if not proxy:
        return urllib3.PoolManager(**options)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    user = ":".join(get_auth_from_url(proxy))
    secret = urllib3.make_headers(proxy_basic_auth=user) if user != ":" else None
    return urllib3.ProxyManager(proxy, proxy_headers=secret, **options)


def _probed() -> list[tuple[int, int, int]]:
    probing = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
        if hasattr(socket, name):
            probing.append((socket.IPPROTO_TCP, getattr(socket, name), 30))
    return [*HTTPConnection.default_socket_options, *probing]
