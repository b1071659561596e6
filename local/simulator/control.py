"""The simulator's own routes under /_sim: what a test or a person sees and changes. No token needed.

GET  /_sim                     the dashboard, for people
GET  /_sim/state               orders, submissions, carts, resellers, behaviour, faults in force
GET  /_sim/requests            every request with its outcome, counts by operation, connections
GET  /_sim/attachments/{id}    a file that was attached, where its content was kept
POST /_sim/reset               forget everything
POST /_sim/config              {option: value, …} (behaviour.Behaviour), {"profile": "other"} (PROFILES there)
POST /_sim/faults              [fault rule, …] (faults), or {"seed": 1, "rates": {kind: probability}}
DELETE /_sim/faults            end every fault
POST /_sim/orders              {"customerId": …, "id": …, "status": …, "body": {…}}: an order placed by hand
POST /_sim/changes             {"orderId": …, "changes": {…}}: an order changed by hand (portal.Portal)
POST /_sim/uploads             {"orderId": …, "fileName": …, "kind": …, "content": base64}: a file by hand
POST /_sim/expiries            {"cartId": …}: a cart expires now
POST /_sim/padding             {"customerId": …, "orders": N, "lines": N}: orders of earlier days
POST /_sim/resellers           [{"id": …, "name": …, "mpnId": …, "state": …, "location": …}, …]
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from urllib.parse import urlsplit

from local.simulator.dashboard import dashboard
from local.simulator.replies import Refused, Reply, json_reply
from local.simulator.service import download
from local.simulator.simulation import Simulation
from local.simulator.state import KINDS, PENDING, Reseller, attachment_json

_FILES = "/_sim/attachments/"


def control(simulation: Simulation, method: str, target: str, body: bytes) -> Reply:
    """Answer one request to a route under /_sim; 400 with a sentence when its body is invalid."""
    path = urlsplit(target).path.rstrip("/")
    if method == "GET" and path.startswith(_FILES):
        return _file(simulation, path.removeprefix(_FILES))
    action = _ROUTES.get((method, path))
    if action is None:
        return json_reply(404, {"error": f"There is no {method} {path} here; GET /_sim shows what there is."})
    try:
        return action(simulation, json.loads(body) if body else None)
    except ValueError as error:
        return json_reply(400, {"error": str(error)})


def state_json(simulation: Simulation) -> dict[str, object]:
    """Return all that GET /_sim/state shows."""
    simulation.review()
    return {
        **simulation.state.as_json(),
        "behaviour": asdict(simulation.state.behaviour),
        "faults": simulation.faults.as_json(),
    }


def _dashboard(simulation: Simulation, value: object) -> Reply:
    return Reply(200, dashboard(simulation).encode(), "text/html; charset=utf-8")


def _state(simulation: Simulation, value: object) -> Reply:
    return json_reply(200, state_json(simulation))


def _requests(simulation: Simulation, value: object) -> Reply:
    return json_reply(200, simulation.journal.as_json())


def _reset(simulation: Simulation, value: object) -> Reply:
    simulation.reset()
    return Reply(204)


def _config(simulation: Simulation, value: object) -> Reply:
    simulation.configure(**_object(value))
    return json_reply(200, asdict(simulation.state.behaviour))


def _faults(simulation: Simulation, value: object) -> Reply:
    if isinstance(value, list):
        simulation.faults.add(*(_object(item) for item in value))
    else:
        given = _object(value)
        seed, rates = given.get("seed", 0), given.get("rates")
        if set(given) - {"seed", "rates"} or not isinstance(seed, int) or not isinstance(rates, dict):
            raise ValueError('a list of fault rules is expected, or {"seed": …, "rates": {…}}')
        if not all(isinstance(rate, int | float) for rate in rates.values()):
            raise ValueError("rates are numbers")
        simulation.faults.set_random_faults(seed, rates)
    return json_reply(200, simulation.faults.as_json())


def _no_faults(simulation: Simulation, value: object) -> Reply:
    simulation.faults.clear()
    return Reply(204)


def _order(simulation: Simulation, value: object) -> Reply:
    given = dict(_object(value))
    body = _object(given.pop("body", {}))
    texts = _texts(given, {"customerId": None, "id": "", "status": PENDING})
    order = simulation.portal.place_order(
        texts["customerId"], body, order_id=texts["id"], status=texts["status"]
    )
    return json_reply(201, order.resource())


def _change(simulation: Simulation, value: object) -> Reply:
    given = dict(_object(value))
    changes = _object(given.pop("changes", None))
    order = simulation.portal.change_order(_texts(given, {"orderId": None})["orderId"], changes)
    return json_reply(200, order.resource())


def _upload(simulation: Simulation, value: object) -> Reply:
    given = _texts(value, {"orderId": None, "fileName": None, "kind": KINDS[0], "content": ""})
    content = base64.b64decode(given["content"], validate=True)
    item = simulation.portal.upload(given["orderId"], given["fileName"], given["kind"], content)
    return json_reply(201, attachment_json(item))


def _expire(simulation: Simulation, value: object) -> Reply:
    simulation.portal.expire_cart(_texts(value, {"cartId": None})["cartId"])
    return Reply(204)


def _padding(simulation: Simulation, value: object) -> Reply:
    given = dict(_object(value))
    orders, lines = given.pop("orders", None), given.pop("lines", 1)
    if not isinstance(orders, int) or not isinstance(lines, int):
        raise ValueError("orders and lines are whole numbers")
    simulation.portal.pad_orders(_texts(given, {"customerId": None})["customerId"], orders, lines)
    return Reply(204)


def _resellers(simulation: Simulation, value: object) -> Reply:
    if not isinstance(value, list):
        raise ValueError("a list of resellers is expected")
    usual = {"id": None, "name": "", "mpnId": None, "state": "Active", "location": "US"}
    found = [_texts(item, usual) for item in value]
    resellers = tuple(
        Reseller(item["id"], item["name"], item["mpnId"], item["state"], item["location"]) for item in found
    )
    with simulation.state.lock:
        simulation.state.resellers = resellers
    return Reply(204)


def _file(simulation: Simulation, wanted: str) -> Reply:
    with simulation.state.lock:
        orders = simulation.state.orders.values()
        found = [item for order in orders for item in order.attachments if item.id == wanted]
    try:
        return download(found[0] if found else None)
    except Refused as refusal:
        return refusal.reply


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("a JSON object is expected")
    return value


def _texts(value: object, usual: Mapping[str, str | None]) -> dict[str, str]:
    given = _object(value)
    result: dict[str, str] = {}
    for name in given:
        if name not in usual:
            raise ValueError(f"there is no field {name!r}; there are {', '.join(usual)}")
    for name, default in usual.items():
        item = given.get(name, default)
        if not isinstance(item, str):
            raise ValueError(f"{name} is missing or not text")
        result[name] = item
    return result


_ROUTES: Mapping[tuple[str, str], Callable[[Simulation, object], Reply]] = {
    ("GET", "/_sim"): _dashboard,
    ("GET", "/_sim/state"): _state,
    ("GET", "/_sim/requests"): _requests,
    ("POST", "/_sim/reset"): _reset,
    ("POST", "/_sim/config"): _config,
    ("POST", "/_sim/faults"): _faults,
    ("DELETE", "/_sim/faults"): _no_faults,
    ("POST", "/_sim/orders"): _order,
    ("POST", "/_sim/changes"): _change,
    ("POST", "/_sim/uploads"): _upload,
    ("POST", "/_sim/expiries"): _expire,
    ("POST", "/_sim/padding"): _padding,
    ("POST", "/_sim/resellers"): _resellers,
}
