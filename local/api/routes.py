"""The table of routes: what each takes and answers. A test compares it with the functions of the app."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.core.listing import LISTED

_SEGMENT = r"[^\x00-\x20\x7f-\x9f/\\?#%.][^\x00-\x1f\x7f-\x9f/\\?#%]*"
_PLAIN = f"^{_SEGMENT}(/{_SEGMENT})*$"
JSON = "application/json"
FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `where` is path, query or header."""

    name: str
    where: str
    title: str
    description: str
    required: bool = True
    pattern: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers` maps the statuses of success to the schema of their body; `problems` are the
    statuses that answer with a Problem."""

    function: str
    method: str
    path: str
    operation: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...] = ()
    bodies: tuple[tuple[str, str], ...] = ()
    answers: tuple[tuple[int, str], ...] = ()
    problems: tuple[int, ...] = ()
    anonymous: bool = False
    operator: bool = False
    places: bool = False
    """Whether its answer tells where something is, in `Location`."""


CUSTOMER = Parameter(
    "customerId",
    "path",
    "Customer ID",
    "The tenant ID of the customer.",
    pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    example="c501c3c4-d776-40ef-9ecf-9cefb59442c1",
)
ORDER = Parameter(
    "orderId",
    "path",
    "Order ID",
    "The ID of the order at Partner Center.",
    pattern="^[A-Za-z0-9_-]{1,128}$",
    example="5cf72f146967",
)
KEY = Parameter(
    "Idempotency-Key",
    "header",
    "Idempotency Key",
    "What the order is known by, such as the ID of the approval. The same key never buys twice.",
    pattern="^[!-+\\--~]{1,255}$",
    example="approval-4711",
)
USER = Parameter(
    "x-ms-customeruser-upn",
    "header",
    "Customer User",
    "The UPN of the user of the customer whom licenses are assigned to.",
    required=False,
    pattern="^[!-~]{1,256}$",
    example="ada@contoso.example",
)
DROP = Parameter(
    "path",
    "path",
    "Path",
    "The path in the container of dropped documents.",
    pattern=_PLAIN,
    example="x/PO_77.json",
)
ALWAYS = (500, 502, 503)
"""Any call may meet an app that is not configured, or storage or Partner Center that is away."""

ROUTES: tuple[Route, ...] = (
    Route(
        "create_order",
        "post",
        "customers/{customerId}/orders",
        "CreateOrder",
        "Create an order",
        "Creates an order for the customer, also for an indirect reseller. A 202 means that the outcome is"
        " not known yet. Its Location gives it.",
        (CUSTOMER, KEY, USER),
        ((JSON, "Order"),),
        ((201, "PlacedOrder"), (202, "Accepted")),
        (400, 404, 409, 412, 413, 415, 422, 424, *ALWAYS),
        places=True,
    ),
    Route(
        "create_checkout",
        "post",
        "customers/{customerId}/checkouts",
        "CreateCheckout",
        "Check out a cart",
        "Buys the lines through a cart, also for an indirect reseller. It makes one order or several: the"
        " answer tells which line became part of which, and which lines were not ordered.",
        (CUSTOMER, KEY),
        ((JSON, "Checkout"),),
        ((201, "CheckedOut"), (202, "Accepted")),
        (400, 404, 409, 412, 413, 415, 422, 424, *ALWAYS),
        places=True,
    ),
    Route(
        "get_order",
        "get",
        "customers/{customerId}/orders/{orderId}",
        "GetOrder",
        "Get an order",
        "Gets the order as Partner Center has it now, with its status.",
        (CUSTOMER, ORDER),
        (),
        ((200, "PlacedOrder"),),
        (400, 404, 409, 412, 422, 424, *ALWAYS),
    ),
    Route(
        "get_order_request",
        "get",
        "customers/{customerId}/order-requests",
        "GetOrderRequest",
        "Get an order request",
        "Gets what became of the request with that key: the order, or the result of the checkout.",
        (
            CUSTOMER,
            Parameter(
                "key",
                "query",
                "Idempotency Key",
                "The key that the order was created, or the cart checked out, with.",
                pattern="^[!-+\\--~]{1,255}$",
                example="approval-4711",
            ),
        ),
        (),
        ((200, "OrderOutcome"), (202, "Accepted")),
        (400, 404, 409, 412, 422, 424, *ALWAYS),
    ),
    Route(
        "attach_po",
        "post",
        "customers/{customerId}/orders/{orderId}/attachments",
        "AttachDocuments",
        "Attach documents",
        "Attaches purchase orders and tenders to the order. Equal documents are attached once, however often"
        " they are sent.",
        (CUSTOMER, ORDER),
        ((JSON, "Documents"), (FORM, "DocumentsForm")),
        ((201, "Attachments"), (202, "Accepted")),
        (400, 404, 409, 412, 413, 415, 422, 424, *ALWAYS),
    ),
    Route(
        "get_attachments",
        "get",
        "customers/{customerId}/orders/{orderId}/attachments",
        "GetAttachments",
        "Get attachments",
        "Gets what is attached to the order, as Partner Center has it now; or what became of one submission.",
        (
            CUSTOMER,
            ORDER,
            Parameter(
                "submission",
                "query",
                "Submission",
                "The last part of the name of a submission: what became of that one, 202 while it is open.",
                required=False,
                pattern="^[0-9a-f]{64}$",
            ),
        ),
        (),
        ((200, "Attachments"), (202, "Accepted")),
        (400, 404, 409, 412, 422, 424, *ALWAYS),
    ),
    Route(
        "request_upload",
        "post",
        "customers/{customerId}/orders/{orderId}/uploads",
        "RequestUpload",
        "Request an upload",
        "Gives one address for each document, to which it is uploaded. The documents are attached once"
        " all are there.",
        (CUSTOMER, ORDER),
        ((JSON, "UploadRequest"),),
        ((201, "Upload"),),
        (400, 415, *ALWAYS),
        places=True,
    ),
    Route(
        "get_drop",
        "get",
        "drops/{path}",
        "GetDropReceipt",
        "Get a drop receipt",
        "Gets the receipt of a drop, by the path of its sidecar or of its document.",
        (DROP,),
        (),
        ((200, "Receipt"),),
        (404, *ALWAYS),
    ),
    Route(
        "retry_drop",
        "post",
        "drops/{path}",
        "RetryDrop",
        "Retry a drop",
        "Has a drop looked at now, whenever its next attempt is. Nothing is sent twice by that.",
        (DROP,),
        (),
        ((200, "DropRetry"),),
        (404, 409, *ALWAYS),
    ),
    Route(
        "get_submissions",
        "get",
        "submissions",
        "GetSubmissions",
        "List submissions",
        "Lists what is in one state, or the orders in one status, page by page, in no order; or all that was"
        " sent for one order.",
        (
            Parameter(
                "state",
                "query",
                "State",
                "What is listed: " + ", ".join(LISTED) + ".",
                required=False,
                pattern=f"^({'|'.join(LISTED)})$",
                example="review",
            ),
            Parameter(
                "orderStatus",
                "query",
                "Order Status",
                "The status of the orders that are listed, instead of a state, such as pending_po_upload.",
                required=False,
                example="pending_po_upload",
            ),
            Parameter(
                "since",
                "query",
                "Since",
                "Only what came to that state or status since then, such as 2026-11-28T08:00:00Z.",
                required=False,
            ),
            Parameter(
                "after", "query", "After", "Where the page begins, as the page before says.", required=False
            ),
            replace(CUSTOMER, where="query", required=False, description="With orderId, instead of a state."),
            replace(ORDER, where="query", required=False, description="With customerId, instead of a state."),
        ),
        (),
        ((200, "Submissions"),),
        (400, *ALWAYS),
    ),
    Route(
        "get_status",
        "get",
        "status/{token}",
        "GetStatus",
        "Get a status",
        "Gets what became of the request whose 202 named this address in its Location.",
        (
            Parameter(
                "token", "path", "Token", "The token of the address.", pattern="^[A-Za-z0-9_.-]{1,500}$"
            ),
        ),
        (),
        ((200, "Outcome"), (202, "Accepted")),
        (400, 404, 409, 412, 422, 424, *ALWAYS),
        anonymous=True,
    ),
    Route(
        "decide_review",
        "post",
        "reviews/{key}",
        "DecideReview",
        "Decide a review",
        "Carries out what an operator decided about a submission in review; retry also has one tried now that"
        " is tried again anyhow.",
        (
            Parameter(
                "key",
                "path",
                "Submission",
                "The name of the submission, as the receipt or problem tells it.",
                pattern=_PLAIN,
            ),
        ),
        ((JSON, "Decision"),),
        ((200, "Review"),),
        (400, 404, 409, 412, 415, 422, 424, *ALWAYS),
        operator=True,
    ),
    Route(
        "consent",
        "post",
        "operator/consent",
        "Consent",
        "Begin or complete a consent",
        "Begins the sign-in, on any device, of the user in whose name orders are placed; with the consent of"
        " that answer, stores what came of it and has the doctor look at it.",
        (),
        ((JSON, "ConsentRequest"),),
        ((200, "Consent"),),
        (400, 404, 409, 415, *ALWAYS),
        operator=True,
    ),
    Route(
        "doctor",
        "get",
        "operator/doctor",
        "Examine",
        "Examine the identity",
        "Says whether the app's identity is fit for Partner Center. Nothing is changed there.",
        (),
        (),
        ((200, "Diagnosis"),),
        ALWAYS,
        operator=True,
    ),
    Route(
        "health",
        "get",
        "health",
        "GetHealth",
        "Get health",
        "Says whether the app can work, and which settings keep it from it.",
        (),
        (),
        ((200, "Health"), (503, "Health")),
        anonymous=True,
    ),
    Route(
        "get_openapi",
        "get",
        "openapi.json",
        "GetOpenApi",
        "Get this document",
        "Gets this document.",
        (),
        (),
        ((200, "OpenApi"),),
        anonymous=True,
    ),
)
