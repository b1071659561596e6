"""The status behind a token: read from the ledger alone, by every instance, over two generations."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from local.azurite.launcher import Azurite
from local.fault_proxy import Proxy
from local.fault_rules import Fault
from shared.core.errors import BlobBlockedError, NotFoundError
from shared.core.ledger import State
from shared.core.status_token import LIFETIME
from shared.services.statuses import Statuses
from shared.storage.status_keys import ROTATE_AFTER
from tests.services.conftest import Office, built
from tests.services.steps import drop_pair

KEYS = "status-keys.json"


def attached(office: Office) -> tuple[str, str]:
    """The record and the digest of a submission that is done."""
    drop_pair(office, office.order())
    office.ring("x/PO.json")
    key, _, digest = str(office.receipt("x/PO.json")["submission"]).rpartition("/")
    return key, digest


def test_what_one_instance_issues_another_reads_without_asking_partner_center(office: Office) -> None:
    token = office.services.statuses.token(*attached(office))
    other = built(office.env, office.clock)
    before = len(office.partner.journal.entries())

    outcome = other.statuses.read(token)

    assert (outcome.submission.state, outcome.replayed) == (State.DONE, True)
    assert len(office.partner.journal.entries()) == before


def test_instances_that_make_the_first_secret_at_once_end_with_one(office: Office) -> None:
    record = attached(office)
    instances = [built(office.env, office.clock).statuses for _ in range(8)]
    at_once = threading.Barrier(len(instances))

    def issue(statuses: Statuses) -> str:
        at_once.wait()
        return statuses.token(*record)

    with ThreadPoolExecutor(len(instances)) as pool:
        tokens = list(pool.map(issue, instances))

    assert len({statuses.keys.known() for statuses in instances}) == 1
    assert {office.services.statuses.read(token).submission.digest for token in tokens} == {record[1]}


def test_a_token_outlives_the_change_of_secrets_and_nothing_but_its_own_end(office: Office) -> None:
    record = attached(office)
    first, other = office.services.statuses, built(office.env, office.clock).statuses
    office.clock.forward(minutes=ROTATE_AFTER / timedelta(minutes=1))
    token = first.token(*record)
    office.clock.forward(minutes=2)
    newer = other.token(*record)

    assert first.keys.known(again=True) != ()
    assert other.read(token) == other.read(newer)
    assert first.read(newer).submission.digest == record[1]
    office.clock.forward(minutes=(LIFETIME + timedelta(days=1)) / timedelta(minutes=1) + 3)
    for expired in (token, newer):
        with pytest.raises(NotFoundError, match="expired"):
            first.read(expired)


def test_a_new_secret_signs_nothing_before_every_instance_has_read_it(office: Office) -> None:
    record = attached(office)
    first, other = office.services.statuses, built(office.env, office.clock).statuses
    first.token(*record)
    office.clock.forward(minutes=ROTATE_AFTER / timedelta(minutes=1))
    assert len(other.keys.known()) == 1
    office.clock.forward(minutes=1)
    token = first.token(*record)

    assert len(first.keys.known()) == 2
    assert other.read(token).submission.digest == record[1]
    office.clock.forward(minutes=130)
    later = first.token(*record)
    assert later.partition(".")[2] != token.partition(".")[2]
    assert other.read(later) == other.read(token)


def test_secrets_that_are_known_outlast_a_storage_that_does_not_answer(
    office: Office, azurite: Azurite
) -> None:
    record = attached(office)
    with Proxy(azurite.blob_endpoint) as storage:
        through = storage.connection_string(azurite.connection_string)
        statuses = built({**office.env, "DocumentStorage": through}, office.clock).statuses
        token = statuses.token(*record)
        office.clock.forward(minutes=61)
        storage.inject(Fault("status", status=403, code="Denied"), name="status-keys.json", times=-1)

        assert statuses.token(*record) == token


def test_what_was_never_recorded_is_told_as_safe_to_repeat(office: Office) -> None:
    statuses = office.services.statuses
    key, _ = attached(office)

    for record in ((key, "e" * 64), ("orders/c/none", "")):
        with pytest.raises(NotFoundError, match="send it again"):
            statuses.read(statuses.token(*record))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"since": "2026-01-01T00:00:00+00:00", "keys": ["eA=="]}'])
def test_secrets_that_cannot_be_read_are_told_with_the_cure(office: Office, content: bytes) -> None:
    blobs, ledger = office.services.drops.blobs, office.env["LEDGER_CONTAINER"]
    blobs.put(ledger, KEYS, content, match="*")

    with pytest.raises(BlobBlockedError) as raised:
        office.services.statuses.token("k", "")

    assert KEYS in raised.value.remedy
