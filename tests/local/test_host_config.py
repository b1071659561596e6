"""host.json as the host reads it: defaults, overrides, and values that it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.host.config import HostConfig, HostError, QueueOptions, read_config
from local.host.polling import Backoff, Bells
from local.stack import ROOT


def config(folder: Path, document: dict[str, Any], cores: int = 2, **env: str) -> HostConfig:
    (folder / "host.json").write_text(json.dumps(document))
    return read_config(folder, env, cores)


def queues(**options: Any) -> dict[str, Any]:
    return {"extensions": {"queues": options}}


def test_the_defaults_are_those_of_the_extension(tmp_path: Path) -> None:
    read = config(tmp_path, {}, cores=3)

    assert read.queues == QueueOptions(16, 24, 60.0, 5, 0, base64=True)
    assert read.function_timeout == 1800.0
    assert read.route_prefix == "api"


def test_the_threshold_follows_the_batch_unless_it_is_given(tmp_path: Path) -> None:
    assert config(tmp_path, queues(batchSize=5), cores=2).queues.new_batch_threshold == 4
    assert config(tmp_path, queues(batchSize=5, newBatchThreshold=0)).queues.new_batch_threshold == 0


def test_every_option_and_a_setting_that_overrides_one(tmp_path: Path) -> None:
    given = queues(
        batchSize=32,
        newBatchThreshold=1,
        maxPollingInterval="00:00:00.25",
        maxDequeueCount=2,
        visibilityTimeout="1.02:03:04",
        messageEncoding="None",
    )

    read = config(tmp_path, given, AzureFunctionsJobHost__extensions__queues__batchSize="7")

    assert read.queues == QueueOptions(7, 1, 0.25, 2, 93_784, base64=False)


@pytest.mark.parametrize(
    ("at_once", "batch", "threshold"),
    [(100, 32, 68), (64, 32, 32), (16, 9, 7), (8, 5, 3), (2, 2, 0), (1, 1, 0)],
)
def test_blob_functions_split_their_own_parallelism(
    tmp_path: Path, at_once: int, batch: int, threshold: int
) -> None:
    """The pairs are those of the extension's SharedBlobQueueListenerFactoryTests."""
    blobs = {"maxDegreeOfParallelism": at_once, "poisonBlobThreshold": 3}
    document = {"extensions": {"blobs": blobs, "queues": {"maxDequeueCount": 9, "batchSize": 1}}}

    assert config(tmp_path, document).blobs == QueueOptions(batch, threshold, 60.0, 3, 0, base64=True)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("batchSize", 0, "'0' is not a whole number from 1 to 32"),
        ("batchSize", 33, "'33' is not a whole number from 1 to 32"),
        ("batchSize", "many", "'many' is not a whole number"),
        ("batchSize", True, "'True' is not a whole number"),
        ("batchSize", None, "'None' is not a whole number"),
        ("newBatchThreshold", -1, "'-1' is not a whole number from 0"),
        ("newBatchThreshold", 1.5, "'1.5' is not a whole number from 0"),
        ("maxPollingInterval", "00:00:00.05", "is out of bounds (0.1 s or more)"),
        ("maxPollingInterval", 5000, "'5000' is not of the form hh:mm:ss"),
        ("maxPollingInterval", "00:99:00", "is not of the form hh:mm:ss"),
        ("maxDequeueCount", 0, "'0' is not a whole number from 1"),
        ("visibilityTimeout", "-00:00:01", "is not of the form hh:mm:ss"),
        ("visibilityTimeout", "8.00:00:00", "is out of bounds (0 to 604800 s)"),
        ("messageEncoding", "utf-8", "'utf-8' is not base64 or none"),
    ],
)
def test_a_value_that_azure_would_refuse_is_named(
    tmp_path: Path, option: str, value: object, told: str
) -> None:
    with pytest.raises(HostError) as caught:
        config(tmp_path, queues(**{option: value}))

    assert str(caught.value).startswith(f"extensions.queues.{option} in host.json: ")
    assert told in str(caught.value)


def test_the_time_limit_of_a_function(tmp_path: Path) -> None:
    assert config(tmp_path, {"functionTimeout": "00:40:00"}).function_timeout == 2400.0
    assert config(tmp_path, {"functionTimeout": "-1"}).function_timeout == float("inf")
    for refused in ("00:00:00", "soon"):
        with pytest.raises(HostError, match=r"^functionTimeout in host\.json"):
            config(tmp_path, {"functionTimeout": refused})


def test_the_application_leaves_its_longest_request_time_to_end() -> None:
    """A request lasts 30 minutes at most; its function gets 10 more, for a timeout kills its neighbours."""
    read = read_config(ROOT, {}, cores=4)

    assert read.function_timeout == 40 * 60
    assert read.queues == QueueOptions(32, 32, 5.0, 5, 30, base64=True)


def test_looks_become_rarer_until_there_is_a_message() -> None:
    backoff = Backoff(longest=5.0)

    idle = [backoff.pause(found=False) for _ in range(2000)]

    for pause, expected in zip(idle, (0.1, 0.2, 0.3, 0.5, 0.9, 1.7, 3.3, 5.0, 5.0), strict=False):
        assert pause == pytest.approx(expected, rel=0.2)
    assert idle[-1] == max(idle) == 5.0
    assert backoff.pause(found=True) == 0.1
    assert backoff.pause(found=False) == pytest.approx(0.2, rel=0.2)


def test_a_bell_wakes_every_listener_of_its_queue_and_no_other() -> None:
    bells = Bells()
    first, second, other = bells.hang("work"), bells.hang("work"), bells.hang("poison")

    bells.ring("work")
    bells.ring("nobody-listens")

    assert (first.is_set(), second.is_set(), other.is_set()) == (True, True, False)
