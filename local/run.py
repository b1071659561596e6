"""`python -m local run`: the stack stays up, says how to use it, and shows what happens in it."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path

from local.console import Console
from local.demo import CUSTOMER, DOCUMENTS, OFFER
from local.stack import ROOT, Plan, Stack

_LOOK_SECONDS = 0.5
_GUIDE = "guide.txt"

_TEXT = """
The stack is up. Ctrl-C stops it, and everything in it is forgotten then.
This text is kept in {guide}.

  API                 {api}   (process {pid}; a host that ends is started again)
  function key        {key}
  master key          {master}   (for operators: reviews, consent, doctor)
  order page          {pages}/order/   (asks for a key: the function key)
  operators' board    {pages}/board/   (asks for a key: the master key)
  dashboard           {dashboard}   (what Partner Center holds and received)
  Partner Center      {partner_center}   (simulated)
  connection string   {connection_string}
                      (for a storage browser, such as Azure Storage Explorer)
  logs in             {folder}
                      {host_logs}: the application
                      simulator.log: each request to Partner Center
                      {other_logs}: what went wrong there

Try it in another terminal. Paste these lines in their order:

  API={api} SIM={dashboard}
  KEY={key}
  CUSTOMER={customer}
  cd {samples}
  call() {{ curl -sS -w '\\n' -H "x-functions-key: $KEY" "$@"; }}
  call $API/health

  # place an order; it waits for its documents
  ORDER=$(call $API/customers/$CUSTOMER/orders -H 'Idempotency-Key: try-1' \\
    -H 'Content-Type: application/json' \\
    -d '{{"lineItems": [{{"offerId": "{offer}", "quantity": 5}}]}}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'); echo "order $ORDER"

  # attach documents over HTTP
  call $API/customers/$CUSTOMER/orders/$ORDER/attachments \\
    -F 'metadata={{"customerPrice": "156.87", "currency": "CAD", "isPartOfTender": true}}' \\
    -F pofiles=@PO_Part1.pdf -F pofiles=@PO_Part2.pdf -F tenderfiles=@Tender.pdf

  # or drop a document and its sidecar into the container, and read the receipt
  INCOMING={incoming}
  SAS='{sas}'
  curl -sS -T PO_Part1.pdf -H 'x-ms-blob-type: BlockBlob' "$INCOMING/try/PO_Part1.pdf?$SAS"
  echo '{{"customerId": "'$CUSTOMER'", "orderId": "'$ORDER'", "customerPrice": "99.5", "currency": "EUR"}}' |
    curl -sS -X PUT -H 'x-ms-blob-type: BlockBlob' --data-binary @- "$INCOMING/try/PO_Part1.json?$SAS"
  call -f --retry 20 --retry-delay 1 --retry-all-errors $API/drops/try/PO_Part1.json

  # make Partner Center fail: it places the next order and loses the answer; the application looks it up
  call $SIM/faults -d '[{{"on": "POST order", "do": {{"kind": "lose_reply"}}}}]'
  call $API/customers/$CUSTOMER/orders -H 'Idempotency-Key: try-2' \\
    -H 'Content-Type: application/json' \\
    -d '{{"lineItems": [{{"offerId": "{offer}", "quantity": 7}}]}}'

  # buy through a cart whose reply is lost twice: the application asks again at once, and buys once
  call $SIM/faults -d '[{{"on": "POST checkout", "times": 2, "do": {{"kind": "lose_reply"}}}}]'
  call $API/customers/$CUSTOMER/checkouts -H 'Idempotency-Key: try-3' \\
    -H 'Content-Type: application/json' \\
    -d '{{"lineItems": [{{"catalogItemId": "{offer}", "quantity": 2, "billingCycle": "one_time"}}]}}'

  # throttle a third of all requests; let lists show an order a minute late; end both and forget all orders
  call $SIM/faults -d '{{"seed": 1, "rates": {{"throttle": 0.33}}}}'
  call $SIM/config -d '{{"list_lag": 60}}'
  call -X POST $SIM/reset

Every fault stands in local/simulator/faults.py, everything else that $SIM takes in
local/simulator/control.py. From here on, one line for each thing that happens:
"""


def main(given: argparse.Namespace) -> int:
    """Bring the stack up, say how to use it, and show what happens until a signal comes."""
    plan = Plan(
        folder=given.folder.resolve(),
        hosts=given.hosts,
        host_port=_port_of(given, "port"),
        blob_port=_port_of(given, "blob-port"),
        queue_port=_port_of(given, "queue-port"),
        partner_center_port=_port_of(given, "partner-center-port"),
        token_port=_port_of(given, "token-port"),
        web_port=_port_of(given, "web-port"),
    )
    with Stack(plan) as stack:
        guide = _guide(stack)
        path = plan.folder / _GUIDE
        path.touch(mode=0o600)
        path.write_text(guide, encoding="utf-8")
        print(guide, flush=True)
        console = Console([*(f"{host.name}.log" for host in stack.hosts), "simulator.log"], plan.folder)
        while True:
            stack.check()
            for host in stack.revive():
                console.show(f"{host.name} had ended and is running again (process {host.pid})")
            console.look()
            time.sleep(_LOOK_SECONDS)


def _guide(stack: Stack) -> str:
    folder, host = stack.plan.folder, stack.hosts[0]
    assert stack.pages
    samples = folder / "samples"
    samples.mkdir(exist_ok=True)
    for name, content in DOCUMENTS.items():
        (samples / name).write_bytes(content)
    incoming, _, sas = stack.drop_url("").partition("?")
    hosts = [f"{host.name}.log" for host in stack.hosts]
    others = sorted(log.name for log in folder.glob("*.log"))
    return _TEXT.format(
        guide=_short(folder / _GUIDE),
        api=f"{host.url}/api",
        pid=host.pid,
        key=host.key,
        master=host.master_key,
        pages=stack.pages.url,
        dashboard=stack.simulator["dashboard"],
        partner_center=stack.simulator["partnerCenter"],
        connection_string=stack.azurite.connection_string,
        folder=_short(folder),
        host_logs=", ".join(hosts),
        other_logs=", ".join(log for log in others if log not in (*hosts, "simulator.log")),
        samples=shlex.quote(str(samples)),
        customer=CUSTOMER,
        offer=OFFER,
        incoming=incoming.rstrip("/"),
        sas=sas,
    )


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


_PORTS = {
    "port": (7071, "The Functions host listens here. 0 takes free ports for all that are not named."),
    "partner-center-port": (7072, "The Partner Center simulator listens here."),
    "token-port": (7073, "The token service listens here."),
    "web-port": (5173, "The order page and the operators' board are served here."),
    "blob-port": (10000, "Azurite serves blobs here."),
    "queue-port": (10001, "Azurite serves queues here."),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    for name, (usual, what) in _PORTS.items():
        parser.add_argument(f"--{name}", type=_port, help=f"{what} Default: {usual}.", metavar="PORT")
    parser.add_argument(
        "--hosts", type=_count, default=1, metavar="N", help="Start so many Functions hosts. Default: 1."
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / ".local" / "run",
        help="Keep logs, certificates and sample documents here. Each stack needs a folder of its own. "
        "Default: .local/run.",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of hosts: 1 or more")
    return int(text)


def _port_of(given: argparse.Namespace, name: str) -> int:
    named: int | None = getattr(given, name.replace("-", "_"))
    return named if named is not None else 0 if given.port == 0 else _PORTS[name][0]
