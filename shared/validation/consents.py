"""What an administrator asks of `operator/consent`."""

from __future__ import annotations

from shared.core.models import Label, StrictModel
from shared.core.strict_json import loads
from shared.validation.collecting import ViolationCollector
from shared.validation.shapes import build, without_empty

MAX_CONSENT = 16 * 1024


class ConsentShape(StrictModel):
    """The body: the consent that is to be completed; without one, another begins."""

    consent: Label | None = None


def consent_asked_for(raw: bytes) -> str:
    """The key of the consent that is to be completed, "" to begin one. Raises InvalidInputError, naming every
    violation."""
    with ViolationCollector() as faults:
        document = loads(raw, MAX_CONSENT)
        faults.add_final(document)
        shape = build(ConsentShape, without_empty(document.value, ConsentShape), "", faults)
    assert shape is not None
    return shape.consent or ""
