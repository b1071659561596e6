"""What an instance of the app is asked to do, as plain data that can be sent to another process.

{"do": "ring", "paths": [path, …]}
{"do": "attach", "order": id}
{"do": "place", "key": Idempotency-Key}
{"do": "check out", "key": Idempotency-Key}
{"do": "sweep"}
{"do": "work", "messages": [text, …]}
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from shared.bootstrap import Services
from shared.validation.checkouts import checkout_request
from shared.validation.orders import order_request
from tests.faults.parts import attach, checkout_body, place_body
from tests.services.conftest import CUSTOMER, PDF


def work(services: Services, job: Mapping[str, Any]) -> None:
    """Do a job. Raises StorageError."""
    correlation = str(uuid.uuid4())
    match job["do"]:
        case "ring":
            for path in job["paths"]:
                services.drops.handle_blob_event(path, correlation)
        case "attach":
            attach(services, job["order"], PDF)
        case "place":
            request = order_request(place_body(), CUSTOMER)
            services.orders.place(CUSTOMER, request, job["key"], correlation, services.deadline())
        case "check out":
            bought = checkout_request(checkout_body())
            services.orders.check_out(CUSTOMER, bought, job["key"], correlation, services.deadline())
        case "sweep":
            services.sweep.run(correlation, services.deadline())
        case "work":
            for message in job["messages"]:
                services.worker.work(message, correlation)
