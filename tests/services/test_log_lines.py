"""The lines that the alerts' queries read (infra/queries), as the services write them while they work."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest

from tests.services.conftest import Office
from tests.services.steps import drop_pair, pair_in_review


def lines(caplog: pytest.LogCaptureFixture) -> dict[str, dict[str, Any]]:
    """What was written, by event; the last line of each."""
    texts = [record.getMessage() for record in caplog.records if record.name == "audit"]
    assert all(text.startswith('{"event": ') for text in texts)  # as the queries look for
    return {line["event"]: line for line in map(json.loads, texts)}


def test_a_drop_and_a_sweep_write_what_the_queries_read(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "audit")
    path = drop_pair(office, office.order())
    office.ring(path)
    office.sweep()

    found = lines(caplog)
    assert {"listed", "failed"} <= set(found["sweep"])
    assert re.fullmatch(r"20\d\d-\S+\+00:00", found["drop attached"]["newest"])
    assert found["drop attached"]["drop"] == path
    assert found["drop attached"]["submission"] == found["attachment done"]["submission"]


def test_what_comes_to_a_person_is_written_with_its_reason_under_one_name(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "audit")
    submission = pair_in_review(office, office.order())

    found = lines(caplog)
    assert found["attachment review"]["submission"] == found["drop review"]["submission"] == submission
    assert found["attachment review"]["detail"]
