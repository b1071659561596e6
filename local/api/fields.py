"""What each member means: one table, because one name means one thing everywhere.

What a check in code says beside the type (patterns, ranges) is said here once more, as a schema; a test sends
what the schemas allow and forbid to the application.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.core.ledger import Decision

GUID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_LABEL = r"^[^\s\x00-\x1f\x7f-\x9f].*$"
_RATE = r"^(?=.*[1-9])[0-9]{1,15}(\.[0-9]{1,12})?$"
_DIGITS = r"^[0-9]{1,15}(\.[0-9]{1,6})?$"


class Field(NamedTuple):
    """Title and description for people, and what the schema says beside the type."""

    title: str
    description: str
    schema: dict[str, Any] = {}  # noqa: RUF012 - a tuple's default, never changed


FIELDS: dict[str, Field] = {
    # an order
    "lineItems": Field("Line Items", "The products to order.", {"minItems": 1, "maxItems": 500}),
    "offerId": Field(
        "Offer ID",
        "The product, SKU and availability, such as CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P.",
        {"pattern": "^[!-~]{1,128}$", "example": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P"},
    ),
    "quantity": Field("Quantity", "How many licenses.", {"example": 5}),
    "lineItemNumber": Field(
        "Line Number", "The number of the line, from 0. The app fills it in when no line has one."
    ),
    "friendlyName": Field("Friendly Name", "A name for the subscription."),
    "termDuration": Field(
        "Term",
        "How long the term is, such as P1M, P1Y or P3Y.",
        {"pattern": r"^P\d{1,3}[DMY]$", "example": "P1Y"},
    ),
    "customTermEndDate": Field(
        "Term End Date", "When the term ends, if not after a whole term.", {"format": "date-time"}
    ),
    "promotionId": Field("Promotion ID", "The promotion to use.", {"pattern": "^[!-~]{1,128}$"}),
    "provisioningContext": Field(
        "Provisioning Context", "What the product needs to be provisioned, by name."
    ),
    "purchaseCommitment": Field("Purchase Commitment", "The commitment of an Azure savings plan."),
    "amount": Field(
        "Amount",
        "The committed amount.",
        {"type": "number", "exclusiveMinimum": 0, "maximum": 999999999, "example": 0.05},
    ),
    "grain": Field("Grain", "The period of the committed amount.", {"example": "hourly"}),
    "attestationAccepted": Field(
        "Attestation Accepted", "Whether the customer has accepted the attestation."
    ),
    "renewsTo": Field("Renews To", "What a trial becomes when it ends."),
    "partnerIdOnRecord": Field("Partner ID on Record", "The PartnerID of the indirect reseller."),
    "additionalPartnerIdsOnRecord": Field(
        "Additional Partner IDs", "Further PartnerIDs on record, up to five."
    ),
    "referenceCustomerId": Field("Reference Customer ID", "The customer of the path, if it is given at all."),
    "billingCycle": Field(
        "Billing Cycle",
        "How often the customer is billed.",
        {"enum": ["unknown", "monthly", "annual", "none", "one_time", "triennial", "biennial"]},
    ),
    "currencyCode": Field("Currency Code", "The currency of the order, ISO 4217.", {"example": "CAD"}),
    "partnerOnRecordAttestationAccepted": Field(
        "Partner Attestation Accepted", "Whether the indirect reseller has accepted the attestation."
    ),
    "indirectResellerId": Field(
        "Indirect Reseller ID",
        "The tenant ID of the indirect reseller. The app writes its PartnerID on every line.",
        {"pattern": GUID},
    ),
    # a cart
    "catalogItemId": Field(
        "Catalog Item ID",
        "The product, SKU and availability, such as CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P.",
        {"pattern": "^[!-~]{1,128}$", "example": "CFQ7TTC0LH0Z:0001:CFQ7TTC0K18P"},
    ),
    "addonItems": Field("Add-Ons", "What is bought with the line; new commerce takes lines instead."),
    "cartId": Field("Cart ID", "The ID of the cart at Partner Center."),
    "orders": Field("Orders", "The orders that came of it, as Partner Center has them."),
    "orderErrors": Field("Order Errors", "What was not ordered."),
    "orderGroupId": Field("Order Group ID", "The lines that Partner Center orders together."),
    "lines": Field("Lines", "What became of each line."),
    "line": Field("Line", "The number of the line, from 0."),
    "error": Field("Error", "Why the line was not ordered."),
    # documents
    "metadata": Field("Metadata", "What is said about the documents."),
    "isPartOfTender": Field("Is Part of Tender", "Whether the order is part of a tender."),
    "customerPrice": Field(
        "Customer Price",
        "The price for the customer, in plain digits with a point.",
        {"pattern": _DIGITS, "example": "156.87"},
    ),
    "currency": Field("Currency", "The currency, ISO 4217.", {"pattern": "^[A-Za-z]{3}$", "example": "CAD"}),
    "fxRate": Field("Exchange Rate", "The exchange rate, above 0.", {"pattern": _RATE}),
    "tenderLink": Field("Tender Link", "The address of the tender.", {"format": "uri", "maxLength": 2048}),
    "acceptIncompletePdf": Field(
        "Accept Incomplete PDF", "Says that documents without the end of a PDF are whole."
    ),
    "poFiles": Field("Purchase Orders", "The purchase orders, at least one.", {"minItems": 1}),
    "tenderFiles": Field("Tenders", "The tenders of the customer."),
    "fileName": Field(
        "File Name", "The name of the file. It ends with .pdf.", {"maxLength": 255, "example": "PO.pdf"}
    ),
    "content": Field(
        "Content", "The file in base64.", {"contentEncoding": "base64", "contentMediaType": "application/pdf"}
    ),
    "size": Field("Size", "The size of the file in bytes."),
    "md5": Field("MD5", "The MD5 of the file, in hexadecimal digits or in base64."),
    "kind": Field("Kind", "What it is; of a document, its type at Partner Center."),
    "etag": Field("ETag", "The version of the file in storage."),
    # uploads
    "uploadId": Field("Upload ID", "The ID of the upload."),
    "expires": Field("Expires", "Until when it can be used.", {"format": "date-time"}),
    "drop": Field("Drop", "The path of the sidecar in the container."),
    "receipt": Field("Receipt", "The address of the receipt.", {"format": "uri"}),
    "method": Field("Method", "The HTTP method to use."),
    "url": Field("URL", "The address to send the file to.", {"format": "uri"}),
    "headers": Field("Headers", "The headers to send with the file."),
    # reviews
    "decision": Field("Decision", "What was decided.", {"enum": [str(one) for one in Decision]}),
    "by": Field("Decided By", "Who decided. Where callers sign in, it is not given.", {"pattern": _LABEL}),
    "orderId": Field(
        "Order ID", "The ID of the order at Partner Center.", {"pattern": "^[A-Za-z0-9_-]{1,128}$"}
    ),
    "orderIds": Field(
        "Order IDs",
        "The orders at Partner Center that are adopted, where a checkout became several.",
        {"items": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}},
    ),
    "attachmentIds": Field("Attachment IDs", "The attachments at Partner Center that are adopted."),
    "history": Field("History", "What happened so far, oldest first."),
    # what answers say
    "customerId": Field("Customer ID", "The tenant ID of the customer.", {"pattern": GUID}),
    "submission": Field("Submission", "The name of the submission in the ledger."),
    "state": Field("State", "Where it stands."),
    "status": Field("Status", "Where it stands."),
    "detail": Field("Detail", "What happened, in a sentence."),
    "remedy": Field("Remedy", "What to do."),
    "actor": Field("Actor", "Who must act."),
    "correlationId": Field("Correlation ID", "The ID to find this by in logs and at Partner Center."),
    "retryable": Field("Retryable", "Whether the same request can succeed later."),
    "errors": Field("Errors", "Every violation."),
    "pointer": Field("Pointer", "Where it is, as a JSON pointer."),
    "settings": Field("Settings", "The settings that keep the app from working, with the reason."),
    "location": Field("Location", "The address that gives the outcome.", {"format": "uri"}),
    "type": Field("Type", "The kind of problem."),
    "title": Field("Title", "The kind of problem, in words."),
    "partnerCenter": Field("Partner Center", "What Partner Center answered."),
    "code": Field("Code", "The code of Partner Center."),
    "description": Field("Description", "The description of Partner Center."),
    "ids": Field("Support IDs", "The IDs that the support of Microsoft asks for."),
    "requestId": Field("Request ID", "The ID of the request at Partner Center."),
    "cv": Field("Correlation Vector", "The correlation vector of Partner Center."),
    "serverId": Field("Server ID", "The server of Partner Center that answered."),
    "attempts": Field("Attempts", "How often it was sent."),
    "attachments": Field("Attachments", "What is attached, as Partner Center describes it."),
    "attachmentId": Field("Attachment ID", "The ID of the attachment."),
    "sizeInKB": Field("Size in KB", "The size at Partner Center."),
    "attachmentType": Field("Attachment Type", "The type at Partner Center."),
    "items": Field("Items", "What was asked for, one entry for each."),
    "next": Field("Next Page", "The address of the next page; absent on the last one."),
    "drops": Field("Drops", "The sidecars of the drops that it is of."),
    "documents": Field("Documents", "The names of its documents."),
    "decisions": Field("Decisions", "What a person may decide about it now."),
    "totalCount": Field("Total Count", "How many there are."),
    "submittedBy": Field("Submitted By", "The drop that sent it, or http."),
    "verified": Field("Verified", "False when the lists of Partner Center could not be read."),
    "waitingFor": Field("Waiting For", "The files that are missing."),
    "order": Field("Order", "The status of the order, as the app last saw it."),
    "looked": Field("Looked", "When the app saw it so.", {"format": "date-time"}),
    "nextAction": Field("Next Action", "What the status asks for."),
    "since": Field("Since", "Since when.", {"format": "date-time"}),
    "nextAttempt": Field("Next Attempt", "When it is tried again.", {"format": "date-time"}),
    "files": Field("Files", "The files."),
    "newer": Field("Newer Files", "Files that changed after the sidecar was used, and were not sent."),
    "changed": Field("Changed", "When this was written.", {"format": "date-time"}),
    "previous": Field("Previous", "What was attached from the drop before."),
    "id": Field("ID", "The ID of the order; of the line of a cart, its place."),
    "v": Field("Version", "The format of the receipt."),
    # an administrator's consent
    "consent": Field("Consent", "Stands for a sign-in that is pending: what completes it."),
    "verificationUri": Field("Sign-in Page", "Where the user signs in.", {"format": "uri"}),
    "userCode": Field("User Code", "The code that the user types there."),
    "message": Field("Message", "What the user must do, in a sentence."),
    "retryAfter": Field("Retry After", "Seconds to wait before asking again."),
    "user": Field("User", "Who signed in."),
    "mfa": Field("MFA", "Whether the user signed in with multifactor authentication."),
    "doctor": Field("Doctor", "Whether the identity is fit for Partner Center."),
    "ok": Field("OK", "Whether it is as it must be; absent where nothing was judged."),
    "checks": Field("Checks", "What was looked at."),
    "name": Field("Name", "What this is about: settings, app-only or app+user."),
    "inputs": Field("Inputs", "The versions of sidecar and files that this is about."),
}
