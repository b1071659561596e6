"""What the lines of orders and of carts have in common, however they are named: read one after the other,
without what only Partner Center sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from shared.core.errors import TooLargeError
from shared.core.models import StrictModel
from shared.core.strict_json import Json, camel, join_pointer
from shared.validation.collecting import ViolationCollector
from shared.validation.shapes import build, member, said_of

MAX_ORDER = 256 * 1024
"""Bytes of a request to order or to check out; a guard of our own."""
MAX_LINES = 500
"""Lines of one order or cart; a guard of our own."""
SERVER = "is set by Partner Center and cannot be sent; leave it out"

Line = TypeVar("Line", bound=StrictModel)


def check_size(raw: bytes) -> None:
    """Raise TooLargeError for a request beyond MAX_ORDER bytes."""
    if len(raw) > MAX_ORDER:
        raise TooLargeError(f"The order request has {len(raw)} bytes; at most {MAX_ORDER} are allowed.")


def lines_of(tree: Json) -> tuple[str, list[Json]]:
    """The pointer of the lines, and the lines; none when they are no array."""
    written, lines = member(tree, "lineItems")
    return join_pointer("", written), lines if isinstance(lines, list) else []


def with_lines(tree: Json, shape: type[Line], stand_in: Line, faults: ViolationCollector) -> object:
    """The request with its lines built, one after the other: so what is wrong with many of them costs no more
    memory than what is wrong with one. A line that cannot be built is noted, and `stand_in` takes its
    place."""
    written, lines = member(tree, "lineItems")
    if not isinstance(tree, dict) or not isinstance(lines, list):
        return tree
    place = join_pointer("", written)
    if len(lines) > MAX_LINES:
        faults.add(place, f"contains {len(lines)} lines; at most {MAX_LINES} are taken")
    built = [build(shape, line, join_pointer(place, i), faults) for i, line in enumerate(lines[:MAX_LINES])]
    return {**tree, written: [line or stand_in for line in built]}


def client_side(tree: Json, not_sent: Mapping[str, str], faults: ViolationCollector) -> Json:
    """The request without the fields that only the server sets; any that is not null is noted, with what
    `not_sent` says of it."""
    order = _without(tree, "", not_sent, faults)
    written, lines = member(order, "lineItems")
    if isinstance(order, dict) and isinstance(lines, list):
        place = join_pointer("", written)
        order[written] = [
            _without(line, join_pointer(place, i), not_sent, faults) for i, line in enumerate(lines)
        ]
    return order


def _without(node: Json, pointer: str, not_sent: Mapping[str, str], faults: ViolationCollector) -> Json:
    if not isinstance(node, dict):
        return node
    kept: dict[str, Json] = {}
    for written, value in node.items():
        name, place = camel(written), join_pointer(pointer, written)
        if name == "attributes":
            _attributes(value, place, faults)
        elif name not in not_sent:
            kept[written] = value
        elif value not in (None, ""):
            faults.add(place, not_sent[name])
    return kept


def _attributes(value: Json, pointer: str, faults: ViolationCollector) -> None:
    """`{"objectType": "Order"}` stands in the documented examples and tells nothing."""
    if value in (None, ""):
        return
    if not isinstance(value, dict):
        faults.add(pointer, "must be an object")
        return
    for written in value:
        if camel(written) != "objectType":
            faults.add(join_pointer(pointer, written), SERVER)


def follows(
    rule: Callable[[str], str], tree: Json, name: str, pointer: str, faults: ViolationCollector
) -> None:
    """Note where a member that is text breaks the rule; `pointer` is where `tree` stands."""
    written, text = member(tree, name)
    if isinstance(text, str):
        try:
            rule(text)
        except ValueError as error:
            faults.add(join_pointer(pointer, written), said_of(text, str(error)))
