"""`python -m local run` leaves the stack up; `demo` plays the whole scene once; `soak` runs a campaign."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from local import demo
from local.children import StackError
from local.guard import InsideAzureError, refuse_inside_azure
from local.pdf import one_page
from local.soak import campaign
from local.soak.options import add_options
from local.stack import ROOT, Plan, Stack

WORK = ROOT / ".local"
_LOOK_SECONDS = 0.5

_TEXT = """
The stack is up; Ctrl-C stops it. Everything is forgotten then. Logs: {logs}

  Functions host   {host}/api (process {pid})
  function key     {key}
  master key       {master}
  Partner Center   {partner_center} (simulated; what it received: {page})
  storage          {storage}

Try it in another terminal. The documents lie in {samples}.

  export API={host}/api KEY={key} CUSTOMER={customer}
  curl -s $API/health

  # an order that waits for its documents
  curl -s $API/customers/$CUSTOMER/orders -H "x-functions-key: $KEY" -H 'Idempotency-Key: try-1' \\
    -H 'Content-Type: application/json' \\
    -d '{{"lineItems": [{{"offerId": "{offer}", "quantity": 5}}]}}'
  export ORDER=...   # its id

  # the documents, over HTTP
  curl -s $API/customers/$CUSTOMER/orders/$ORDER/attachments -H "x-functions-key: $KEY" \\
    -F 'metadata={{"customerPrice": "156.87", "currency": "CAD", "isPartOfTender": true}}' \\
    -F pofiles=@{samples}/PO_77.pdf -F tenderfiles=@{samples}/Tender.pdf

  # or dropped into the container, with a sidecar
  curl -X PUT -H 'x-ms-blob-type: BlockBlob' --data-binary @{samples}/PO_77.pdf \\
    '{drop_pdf}'
  echo '{{"customerId": "'$CUSTOMER'", "orderId": "'$ORDER'", "customerPrice": "99.5", "currency": "EUR"}}' |
    curl -X PUT -H 'x-ms-blob-type: BlockBlob' --data-binary @- \\
    '{drop_json}'
  curl -s $API/drops/try/PO_77.json -H "x-functions-key: $KEY"
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 after Ctrl-C, 1 with a sentence on stderr when the stack cannot be brought up."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _run_options(commands.add_parser("run", help="bring the stack up and leave it up"))
    commands.add_parser("demo", help="play the whole scene once")
    add_options(commands.add_parser("soak", help="many drops and orders under faults, then a count"))
    given = parser.parse_args(argv)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        refuse_inside_azure(os.environ)
        if given.command == "run":
            run(given)
        elif given.command == "soak":
            return campaign.main(given)
        else:
            demo.main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except (StackError, InsideAzureError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(given: argparse.Namespace) -> None:
    """Bring the stack up, say how to use it, and watch it until a signal comes."""
    plan = Plan(
        folder=WORK / "run",
        hosts=given.hosts,
        host_port=given.port,
        blob_port=given.blob_port,
        queue_port=given.queue_port,
        partner_center_port=given.partner_center_port,
        token_port=given.token_port,
        show_log=True,
    )
    with Stack(plan) as stack:
        print(_described(stack), flush=True)
        while True:
            stack.check()
            for host in stack.revive():
                print(f"{host.name} had ended and is running again (process {host.pid})", file=sys.stderr)
            time.sleep(_LOOK_SECONDS)


def _described(stack: Stack) -> str:
    host = stack.hosts[0]
    samples = stack.plan.folder / "samples"
    samples.mkdir(exist_ok=True)
    (samples / "PO_77.pdf").write_bytes(one_page("Purchase order 77"))
    (samples / "Tender.pdf").write_bytes(one_page("Request for proposal 08/2026"))
    return _TEXT.format(
        logs=_short(stack.plan.folder),
        host=host.url,
        pid=host.pid,
        key=host.key,
        master=host.master_key,
        partner_center=stack.simulator["partnerCenter"],
        page=stack.simulator["page"],
        storage=stack.azurite.blob_endpoint,
        samples=_short(samples),
        customer=demo.CUSTOMER,
        offer=demo.OFFER,
        drop_pdf=stack.drop_url("try/PO_77.pdf"),
        drop_json=stack.drop_url("try/PO_77.json"),
    )


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=7071, help="of the Functions host")
    parser.add_argument("--partner-center-port", type=int, default=7072, help="of the simulator")
    parser.add_argument("--token-port", type=int, default=7073, help="of the token service")
    parser.add_argument("--blob-port", type=int, default=10000, help="of Azurite's blobs")
    parser.add_argument("--queue-port", type=int, default=10001, help="of Azurite's queues")
    parser.add_argument("--hosts", type=int, default=1, help="number of hosts")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
