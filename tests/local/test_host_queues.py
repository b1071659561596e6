"""The host's queue triggers on queues of Azurite: delays, batches, poison, several hosts, killed hosts."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from local.azurite.launcher import Azurite
from tests.local.hosts import RunningHost, eventually, running_host

QUEUES = "AzureFunctionsJobHost__extensions__queues__"


class Scene:
    """A queue of its own, and the hosts that work on it; what is `held…` goes on when its gate is opened."""

    def __init__(self, azurite: Azurite, folder: Path) -> None:
        self.name = f"work-{uuid.uuid4().hex[:8]}"
        self.queue = QueueClient.from_connection_string(azurite.connection_string, self.name)
        self.poison = QueueClient.from_connection_string(azurite.connection_string, f"{self.name}-poison")
        self.folder = folder
        self._azurite = azurite

    def host(self, *arguments: str, **settings: str) -> AbstractContextManager[RunningHost]:
        where = {"WORK_QUEUE": self.name, "SAMPLE_GATES": str(self.folder)}
        return running_host(
            self._azurite, self.folder, "--host-id", self.name, *arguments, **where, **settings
        )

    def send(self, *texts: str, delay: int = 0) -> None:
        for text in texts:
            encoded = base64.b64encode(text.encode()).decode()
            self.queue.send_message(encoded, visibility_timeout=delay, time_to_live=-1)

    def queues(self) -> list[str]:
        """The names of this scene's queues."""
        service = QueueServiceClient.from_connection_string(self._azurite.connection_string)
        return sorted(q.name for q in service.list_queues(name_starts_with=self.name))

    def open(self, *gates: str) -> None:
        for gate in gates:
            (self.folder / gate).touch()

    @property
    def log(self) -> str:
        return (self.folder / "host.log").read_text()


@pytest.fixture
def scene(azurite: Azurite, tmp_path: Path) -> Scene:
    made = Scene(azurite, tmp_path)
    made.queue.create_queue()
    return made


def stays(look: Callable[[], object], seconds: float = 0.7) -> bool:
    """Whether it is true now, and all the time that a host would need to change it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not look():
            return False
        time.sleep(0.02)
    return True


def length(queue: QueueClient) -> int:
    """Messages on a queue, hidden ones too."""
    try:
        return queue.get_queue_properties().approximate_message_count or 0
    except ResourceNotFoundError:
        return 0


def test_a_message_with_a_delay_is_not_taken_before_and_soon_after(scene: Scene) -> None:
    with scene.host() as host:
        sent = time.monotonic()
        scene.send("in two seconds", delay=2)
        scene.send("now")

        (now,) = eventually(lambda: host.notes(body="now"))
        (then,) = eventually(lambda: host.notes(body="in two seconds"))

    assert now["at"] - sent < 1.5
    assert 1.9 < then["at"] - sent < 3.5
    assert then["count"] == 1


def test_the_next_batch_comes_when_few_enough_are_under_way(scene: Scene) -> None:
    """Batches of 3 as long as 2 or fewer are under way: at most 5 at once."""
    names = [f"held-{number}" for number in range(9)]
    scene.send(*names)
    limits = {f"{QUEUES}batchSize": "3", f"{QUEUES}newBatchThreshold": "2"}
    with scene.host(PYTHON_THREADPOOL_THREAD_COUNT="9", **limits) as host:

        def begun() -> int:
            return len(host.notes(function="on_work", count=1))

        eventually(lambda: begun() == 3)
        assert stays(lambda: begun() == 3)
        scene.open(host.notes(function="on_work")[0]["body"])
        eventually(lambda: begun() == 6)
        assert stays(lambda: begun() == 6)
        scene.open(*names)
        eventually(lambda: len([n for n in host.notes(function="on_work") if "done" in n]) == 9)
        eventually(lambda: length(scene.queue) == 0)


def test_an_idle_host_looks_more_and_more_rarely(scene: Scene) -> None:
    """The looks after the first message come 0.1 s, 0.3, 0.6, 1.1, 2, 3.7 and 7 s later, about."""
    with scene.host(**{f"{QUEUES}maxPollingInterval": "00:10:00"}) as host:
        scene.send("first")
        eventually(lambda: host.notes(body="first"))
        time.sleep(4.8)
        scene.send("second")

        assert stays(lambda: not host.notes(body="second"), 0.5)
        eventually(lambda: host.notes(body="second"))


def test_a_message_that_always_fails_is_poison_after_the_last_delivery(scene: Scene) -> None:
    limits = {f"{QUEUES}maxDequeueCount": "3", f"{QUEUES}visibilityTimeout": "00:00:01"}
    with scene.host(**limits) as host:
        scene.send("bad", "good")

        (poison,) = eventually(lambda: host.notes(function="on_work_poison"))

        assert (poison["body"], poison["count"]) == ("bad", 1)
        runs = host.notes(function="on_work", body="bad")
        assert [run["count"] for run in runs] == [1, 2, 3]
        assert min(later["at"] - run["at"] for run, later in pairwise(runs)) > 0.9
        assert len(host.notes(function="on_work", body="good")) == 1
        eventually(lambda: length(scene.queue) == length(scene.poison) == 0)


def test_what_the_host_itself_puts_on_the_poison_queue_is_seen_at_once(scene: Scene) -> None:
    slow = {f"{QUEUES}maxPollingInterval": "00:10:00", f"{QUEUES}maxDequeueCount": "1"}
    scene.poison.create_queue()
    scene.send("held, then bad")
    with scene.host(**slow) as host:
        eventually(lambda: host.notes(function="on_work"))
        time.sleep(4.6)
        scene.open("held, then bad")
        opened = time.monotonic()
        eventually(lambda: host.notes(function="on_work_poison"))

    assert time.monotonic() - opened < 0.8


def test_a_poison_queue_has_no_poison_queue_and_keeps_what_fails_there(scene: Scene) -> None:
    with scene.host("--lease", "1", **{f"{QUEUES}maxDequeueCount": "2"}) as host:
        scene.send("bad for good")

        eventually(lambda: len(host.notes(function="on_work_poison")) == 2)
        assert stays(lambda: len(host.notes(function="on_work_poison")) == 2, 2.5)

    assert length(scene.poison) == 1
    assert scene.queues() == [scene.name, f"{scene.name}-poison"]


def test_a_message_in_another_encoding_is_poison_at_once(scene: Scene) -> None:
    scene.queue.send_message("no base64!")
    with scene.host() as host:
        eventually(lambda: length(scene.queue) == 0)
        eventually(lambda: "Check MessageEncoding settings" in scene.log)

        assert host.notes(function="on_work") == []
        assert length(scene.poison) == 1


def test_messages_without_encoding(scene: Scene) -> None:
    scene.queue.send_message("<a> & ünï")
    with scene.host(**{f"{QUEUES}messageEncoding": "none"}) as host:
        eventually(lambda: host.notes(function="on_work", body="<a> & ünï"))


def test_two_hosts_share_a_queue(scene: Scene) -> None:
    one_each = {f"{QUEUES}batchSize": "1", f"{QUEUES}newBatchThreshold": "0"}
    names = [f"held-{number}" for number in range(6)]
    scene.send(*names)
    with scene.host(**one_each) as first, scene.host(**one_each) as second:
        eventually(lambda: {n["pid"] for n in first.notes(count=1)} == {first.child.pid, second.child.pid})
        assert len(first.notes(count=1)) == 2
        scene.open(*names)
        eventually(lambda: len([n for n in first.notes() if "done" in n]) == 6)

        assert sorted(n["body"] for n in first.notes(count=1)) == names
        eventually(lambda: length(scene.queue) == 0)


def test_a_killed_host_leaves_its_message_to_the_next(scene: Scene) -> None:
    scene.send("held")
    with scene.host("--lease", "1") as first:
        eventually(lambda: first.notes(body="held", pid=first.child.pid))
        first.child.kill()
    scene.open("held")
    with scene.host("--lease", "1") as second:
        eventually(lambda: second.notes(done="held", pid=second.child.pid))
        eventually(lambda: length(scene.queue) == 0)

    assert [note["count"] for note in second.notes(body="held")] == [1, 2]


def test_a_long_run_keeps_its_message_from_other_hosts(scene: Scene) -> None:
    scene.send("held")
    with scene.host("--lease", "1") as first, scene.host("--lease", "1") as second:
        eventually(lambda: first.notes(body="held"))
        assert stays(lambda: len(second.notes(body="held")) == 1, 2.5)
        scene.open("held")
        eventually(lambda: second.notes(done="held"))
        eventually(lambda: length(scene.queue) == 0)


def test_a_function_run_by_hand_gets_the_text_as_its_message(scene: Scene) -> None:
    with scene.host() as host:
        path = "/admin/functions/on_work"
        text = '{"v": 1, "name": "ünï"}'

        assert host.call("POST", path, "key", json={"input": text}).status_code == 401
        assert host.call("POST", path, "masterKey", json={"input": {"v": 1}}).status_code == 400
        assert host.call("POST", path, "masterKey", json={"input": text}).status_code == 202

        eventually(lambda: host.notes(done=text))
        assert host.notes(function="on_work", count=0)[0]["body"] == text
        assert length(scene.queue) == 0


def test_a_message_that_waits_for_a_thread_does_so_in_its_own_time(scene: Scene) -> None:
    """One thread for everything: while HTTP has it, the message's time runs out, and it comes again."""
    limits = {"AzureFunctionsJobHost__functionTimeout": "00:00:02", f"{QUEUES}maxDequeueCount": "9"}
    with scene.host(PYTHON_THREADPOOL_THREAD_COUNT="1", **limits) as host:
        assert host.call("POST", "/admin/functions/on_work", "masterKey", json={"input": "held"}).ok
        eventually(lambda: host.notes(body="held"))
        scene.send("patient")

        # the one that is held, and two deliveries of the other: its first one is over for certain
        eventually(lambda: scene.log.count("functionTimeout of 2 s exceeded") >= 3)
        assert host.notes(body="patient") == []
        scene.open("held")

        (done,) = eventually(lambda: host.notes(body="patient"))
        assert done["count"] >= 2
        assert stays(lambda: len(host.notes(body="patient")) == 1)
