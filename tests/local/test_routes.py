"""Route templates and request paths."""

from __future__ import annotations

import pytest

from local.host.config import HostError
from local.host.functions import Function, HttpTrigger
from local.host.routes import Router
from local.web import clean_path


def router(*templates: str, methods: tuple[str, ...] = ()) -> Router:
    return Router(
        [Function(t, t, "req", HttpTrigger(t, frozenset(methods), "anonymous")) for t in templates], "api"
    )


@pytest.mark.parametrize(
    ("template", "path", "params"),
    [
        ("orders/{id}", "/api/orders/7", {"id": "7"}),
        ("orders/{id}", "/API/Orders/aB/", {"id": "aB"}),
        ("orders/{id?}", "/api/orders", {}),
        ("orders/{id:int}", "/api/orders/-7", {"id": "-7"}),
        ("drops/{*path}", "/api/drops/a/b.pdf", {"path": "a/b.pdf"}),
        ("drops/{*path}", "/api/drops", {}),
        ("files/{name}.{kind}", "/api/files/a.pdf", {"name": "a", "kind": "pdf"}),
        ("c/{a}/o/{b}", "/api/c/x/o/y z", {"a": "x", "b": "y z"}),
    ],
)
def test_a_path_that_fits(template: str, path: str, params: dict[str, str]) -> None:
    match = router(template).match("GET", path)

    assert match is not None
    assert match.params == params


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("orders/{id}", "/api/orders"),
        ("orders/{id}", "/api/orders/1/2"),
        ("orders/{id}", "/api/orders//"),
        ("orders/{id:int}", "/api/orders/x"),
        ("orders/{id:guid}", "/api/orders/5"),
        ("orders", "/orders"),
        ("a.b", "/api/axb"),
    ],
)
def test_a_path_that_does_not_fit(template: str, path: str) -> None:
    assert router(template).match("GET", path) is None


@pytest.mark.parametrize(
    ("path", "template"),
    [("/api/a/b", "a/b"), ("/api/a/7", "a/{x:int}"), ("/api/a/c", "a/{x}"), ("/api/a/c/d", "{*all}")],
)
def test_the_more_literal_template_wins(path: str, template: str) -> None:
    match = router("{*all}", "a/{x}", "a/{x:int}", "a/b").match("GET", path)

    assert match is not None
    assert match.function.name == template


def test_a_verb_that_is_not_declared() -> None:
    assert router("a", methods=("POST",)).match("HEAD", "/api/a") is None


@pytest.mark.parametrize("template", ["a/{x:unheard}", "a/{x", "a/{x=5}"])
def test_a_template_that_the_host_cannot_read(template: str) -> None:
    with pytest.raises(HostError, match="route"):
        router(template)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("/a/b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/../../x", "/x"),
        ("/a/./b/..", "/a/"),
        ("/a%2Fb/c%20d", "/a%2Fb/c d"),
        ("/a%2fb", "/a%2Fb"),
        ("/%C3%BC", "/ü"),
        ("/", "/"),
    ],
)
def test_paths_arrive_decoded_and_without_dot_segments(raw: str, clean: str) -> None:
    assert clean_path(raw) == clean
