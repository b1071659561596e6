"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.settings_table import SETTINGS
from shared.telemetry import METRICS, SCOPE
from shared.web.problem import PROBLEMS
from tests.structure.test_architecture import FUNCTIONS

ROOT = Path(__file__).parents[2]
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def settings_table() -> str:
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    for s in SETTINGS:
        secret = " **Secret.**" if s.secret else ""
        rows.append(f"| `{s.name}` | {f'`{s.default}`' if s.default else ''} | {s.meaning}{secret} |")
    return "\n".join(rows)


def problems_table() -> str:
    rows = ["| type | status | meaning | the same again can succeed |", "| --- | --- | --- | --- |"]
    for p in PROBLEMS:
        status = "Partner Center's own 4xx, 424, or 502" if p.slug == "refused" else str(p.status)
        again = "see `retryable`" if p.slug in ("refused", "no-token") else "yes" if p.retryable else "no"
        rows.append(f"| `{p.slug}` | {status} | {p.title} | {again} |")
    return "\n".join(rows)


def figures_table() -> str:
    rows = ["| figure | kind | unit | by | meaning |", "| --- | --- | --- | --- | --- |"]
    for m in METRICS:
        by = ", ".join(f"`{SCOPE}.{name}`" for name in m.attributes)
        rows.append(f"| `{m.name}` | {m.kind} | `{m.unit}` | {by} | {m.meaning} |")
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("where", "name", "table"),
    [
        ("docs/settings.md", "settings", settings_table()),
        ("docs/http.md", "problems", problems_table()),
        ("docs/operations.md", "figures", figures_table()),
    ],
)
def test_a_table_of_the_pages_is_what_the_code_says(where: str, name: str, table: str) -> None:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", page(where), re.DOTALL)

    assert found
    assert found[1] == table


def test_the_page_of_the_http_interface_names_every_route() -> None:
    assert [r for r in FUNCTIONS.values() if r.replace("*", "") not in page("docs/http.md")] == []


def test_the_readme_is_a_page() -> None:
    assert len(page("README.md").splitlines()) <= 120


def test_the_example_settings_are_settings_and_leave_only_secrets_out() -> None:
    example = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    hosts = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage"}

    assert set(example) - hosts <= {s.name for s in SETTINGS}
    assert set(Settings.read(example).problems) == {"PARTNER_CLIENT_SECRET"}


@pytest.mark.parametrize("name", PAGES)
def test_links_between_pages_lead_somewhere(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page(name)) if ":" not in link]
    parts = [link.partition("#") for link in links]

    assert [link for link, _, _ in parts if not (ROOT / name).parent.joinpath(link).exists()] == []
    assert [
        f"{link}#{anchor}"
        for link, _, anchor in parts
        if anchor and anchor not in anchors((ROOT / name).parent / link if link else ROOT / name)
    ] == []


@pytest.mark.parametrize("name", PAGES)
def test_files_that_the_pages_name_are_there(name: str) -> None:
    rooms = "shared|create_order|attach_po|blob_trigger|operations|local|tests|bench|infra"
    named = re.findall(rf"`((?:{rooms})/[\w/.]*\w\.(?:py|md|json|bicep)|function_app\.py)`", page(name))

    assert [file for file in named if not (ROOT / file).exists()] == []


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
