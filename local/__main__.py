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
        folder=given.folder,
        hosts=given.hosts,
        host_port=_port_of(given, "port"),
        blob_port=_port_of(given, "blob-port"),
        queue_port=_port_of(given, "queue-port"),
        partner_center_port=_port_of(given, "partner-center-port"),
        token_port=_port_of(given, "token-port"),
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


_PORTS = {
    "port": (7071, "of the Functions host; 0 takes free ports for all that are not named"),
    "partner-center-port": (7072, "of the simulator"),
    "token-port": (7073, "of the token service"),
    "blob-port": (10000, "of Azurite's blobs"),
    "queue-port": (10001, "of Azurite's queues"),
}


def _run_options(parser: argparse.ArgumentParser) -> None:
    for name, (usual, what) in _PORTS.items():
        parser.add_argument(f"--{name}", type=_port, help=f"{what} (usually {usual})", metavar="PORT")
    parser.add_argument("--hosts", type=int, default=1, help="number of hosts")
    parser.add_argument(
        "--folder",
        type=Path,
        default=WORK / "run",
        help="for logs, certificates and samples, of this stack alone (usually .local/run)",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return int(text)


def _port_of(given: argparse.Namespace, name: str) -> int:
    named: int | None = getattr(given, name.replace("-", "_"))
    return named if named is not None else 0 if given.port == 0 else _PORTS[name][0]


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
