"""Short-lived secrets in a container that others may read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet

from local.azurite.launcher import Azurite
from shared.settings import Settings
from shared.storage.blobs import BlobStore
from shared.storage.sealed_notes import SealedNotes


class Desk:
    """The notes of one container, and a clock that tests move."""

    def __init__(self, azurite: Azurite) -> None:
        self.ahead = timedelta()
        self.container = f"ledger-{uuid.uuid4().hex[:12]}"
        env = {"DocumentStorage": azurite.connection_string, "LEDGER_CONTAINER": self.container}
        self.blobs = BlobStore(Settings.read(env).storage)
        self.notes = SealedNotes(self.blobs, self.container, "notes", self.now)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def kept(self) -> list[str]:
        return [entry.name for entry in self.blobs.page(self.container)[0]]


@pytest.fixture
def desk(azurite: Azurite) -> Iterator[Desk]:
    desk = Desk(azurite)
    desk.notes.add("another")
    yield desk
    desk.blobs.account.service.delete_container(desk.container)


def text(desk: Desk, key: str) -> str | None:
    found = desk.notes.read(key)
    return found[0] if found else None


def test_only_its_key_reads_a_note(desk: Desk) -> None:
    key = desk.notes.add("secret: Ü")

    assert text(desk, key) == "secret: Ü"
    assert text(desk, Fernet.generate_key().decode()) is None
    assert text(desk, "no key at all") is None


def test_the_container_shows_neither_a_note_nor_its_key(desk: Desk) -> None:
    key = desk.notes.add("secret")
    seen = [
        blob.name.encode() + blob.content for n in desk.kept() if (blob := desk.blobs.get(desk.container, n))
    ]

    assert len(seen) == 2
    assert not [found for found in seen if b"secret" in found or key.encode() in found]


def test_what_stands_under_the_name_of_a_note_without_being_one_is_none(desk: Desk) -> None:
    key = desk.notes.add("secret")
    found = desk.notes.read(key)
    assert found
    for content in (b"", b"[]", b'{"sealed": 1}', b'{"sealed": "gAAAAA"}', b"{}", b"\xff"):
        desk.blobs.put(desk.container, found[1].name, content, match="*")
        assert text(desk, key) is None


def test_a_note_that_was_written_anew_is_not_removed_by_who_read_it_before(desk: Desk) -> None:
    key = desk.notes.add("first")
    read = desk.notes.read(key)
    assert read
    desk.notes.replace(key, "second")

    desk.notes.remove(read[1])
    assert text(desk, key) == "second"
    read = desk.notes.read(key)
    assert read
    desk.notes.remove(read[1])
    desk.notes.remove(read[1])
    assert text(desk, key) is None


def test_a_note_lasts_a_day_and_goes_when_the_next_is_written(desk: Desk) -> None:
    key = desk.notes.add("secret")
    desk.ahead = timedelta(hours=23)
    assert text(desk, key) == "secret"
    desk.notes.add("meanwhile")
    assert len(desk.kept()) == 3

    desk.ahead = timedelta(days=1, minutes=1)
    assert text(desk, key) is None
    desk.notes.add("next")
    assert len(desk.kept()) == 1
