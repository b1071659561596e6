"""What each error code of Partner Center means for the one who must act on it: one table, nothing else.

Keyed by HTTP status and code, because codes repeat under several statuses. Codes without a source of their
own stand in https://learn.microsoft.com/en-us/partner-center/developer/error-codes
`python -m shared.partner_center.codes` prints docs/error-codes.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from shared.core.errors import Advice

CALLER, PARTNER, CUSTOMER, RESELLER = "caller", "partner", "customer", "reseller"
OPERATOR, CATALOGUE, MICROSOFT = "operator", "catalogue", "microsoft"

REFUSING = frozenset({400, 401, 403, 404, 413, 429})
"""Statuses that say, in a documented shape and whatever the code, that nothing was done."""

UNKNOWN_OUTCOME = frozenset({"800060", "800005"})
"""Documented as 409 "in progress, check your order history" and 500 "create order isn't successful": neither
says that there is no order."""

_Group = tuple[str, str, Mapping[int, str]]

_ATTACHMENTS: tuple[_Group, ...] = (
    (CALLER, "Attach at least one purchase-order document.", {400: "900252"}),
    (CALLER, "Part of a tender: give a tenderLink or attach a tender.", {400: "900253"}),
    (CALLER, "Give customerPrice and currency in the metadata.", {400: "900254"}),
)

_IDENTITY: tuple[_Group, ...] = (
    (OPERATOR, "Check that the app is registered in Partner Center for this tenant.", {401: "400 800001"}),
    # https://learn.microsoft.com/en-us/partner-center/security/partner-security-requirements-mandating-mfa
    # and, for the newer 900421, https://learn.microsoft.com/en-us/partner-center/developer/partner-center-authentication
    (
        OPERATOR,
        "Sign in again with multifactor authentication and store the new refresh token.",
        {401: "10001 900421"},
    ),
    # https://github.com/microsoft/Partner-Center-DotNet-Samples/issues/140
    (OPERATOR, "Ask for tokens with this cloud's audience: the one used is retired.", {401: "900420"}),
    (OPERATOR, "Configure App+User: this call takes no app-only token.", {403: "900329"}),
    (OPERATOR, "Call with an access token of App+User: this token is of another kind.", {400: "900316"}),
    (OPERATOR, "Give the signed-in user the role Admin agent.", {403: "900150 900308 2032 800043"}),
    (OPERATOR, "Have the Conditional Access policy allow this app and user.", {403: "900309"}),
    # 90000, as 900416, 900419 and 900154 below: editions of 2025 and 2026 of the page of error codes
    (OPERATOR, "Look at what Entra says: it refused to issue a token for this call.", {403: "90000"}),
    (
        OPERATOR,
        "Use another tenant or remove old purchases: the sandbox cannot do this, or its limit is reached.",
        {400: "800018 900116 900127", 403: "900322"},
    ),
)

_PARTIES: tuple[_Group, ...] = (
    (CALLER, "Check customerId: there is no such customer.", {400: "900118", 404: "60003"}),
    (CALLER, "Check customerId: there is no relationship with this customer.", {403: "20002"}),
    (CALLER, "Check orderId: the customer has no such order.", {404: "20000"}),
    (CALLER, "Check the ids in the path: nothing was found there.", {404: "1000"}),
    (CUSTOMER, "Accept (or have confirmed) the Microsoft Customer Agreement.", {403: "13605"}),
    (CUSTOMER, "Correct the customer's account data: the account was not approved.", {403: "800075"}),
    (
        CUSTOMER,
        "Ask Microsoft's support: the customer is locked for transactions.",
        {403: "900416"},
    ),
    (CUSTOMER, "Complete the customer's registration id or phone.", {400: "600002 600049 600050 600051"}),
    (PARTNER, "Have a global admin accept the Microsoft Partner Agreement.", {403: "900124"}),
    (PARTNER, "Sell where the partner is onboarded: this country is not among them.", {403: "2030"}),
    (PARTNER, "Raise the credit line or order less.", {403: "900121 800023", 400: "800025"}),
    (PARTNER, "Ask Microsoft's support why this may not be bought.", {400: "800022 800024 800026 800062"}),
    (PARTNER, "Ask Microsoft's support: the order failed a risk check.", {403: "800069"}),
    (RESELLER, "Check the indirect reseller's PartnerID.", {404: "800015", 400: "800016 2071"}),
    (RESELLER, "Link the PartnerID to the reseller's own tenant.", {400: "900154"}),
    (RESELLER, "Give the reseller's PartnerID, not the indirect provider's own.", {404: "2072"}),
    (RESELLER, "Have the indirect reseller accept the Microsoft Partner Agreement.", {403: "900123"}),
    (RESELLER, "Have the programme status made active again.", {403: "800039 900149"}),
    (RESELLER, "Use the partner on record of the customer's Azure plan.", {403: "900323"}),
)

_ORDERS: tuple[_Group, ...] = (
    (CALLER, "Look in the order history first: the order may exist.", {409: "800060", 500: "800005"}),
    # https://github.com/microsoft/Partner-Center-PowerShell/issues/63
    (CALLER, "Do not send parentSubscriptionId with a new order.", {400: "2000"}),
    # 400056: newer editions of the same page
    (CALLER, "Correct the value that the description names.", {400: "3000 400056 800002 900126"}),
    (CALLER, "Number the lines from 0 without a gap.", {400: "800071"}),
    (CALLER, "Order a quantity that the offer allows.", {400: "900275 2002 800017"}),
    (CALLER, "Correct termDuration.", {400: "800121"}),
    (CALLER, "Correct billingCycle; it cannot be longer than the term.", {400: "900269 900270"}),
    (CALLER, "Choose another customTermEndDate.", {400: "900242 900244 900245 900246"}),
    (CALLER, "Use the partner's or the customer's currency.", {400: "900169"}),
    (CALLER, "Set attestationAccepted on the line.", {400: "900203"}),
    (CALLER, "Set partnerOnRecordAttestationAccepted on the order.", {400: "900206"}),
    (CALLER, "Leave out or replace the promotion.", {400: "27006 27007"}),
    (
        CALLER,
        "Correct provisioningContext: its scope, or its ids of an active Azure plan and subscription.",
        {400: "900312 900313 900314 900315 900317 900318 800011 800012 800013"},
    ),
    (CALLER, "Buy an Azure plan for the customer first.", {400: "900128 900129"}),
    (
        CALLER,
        "Order fewer: the limit of subscriptions, seats or assets is reached (or an id is wrong).",
        {403: "800066 800067 800068 800088 800089", 400: "900419"},
    ),
    (CALLER, "Finish the customer's Azure upgrade first.", {409: "900112 900113 900114"}),
    (CALLER, "Read it again: it changed in the meantime.", {400: "2055", 417: "800036"}),
    (CALLER, "Ask Microsoft's support: the order cannot be processed as it is.", {400: "4018"}),
    (
        CATALOGUE,
        "Read the catalogue again: product, SKU or availability is not what it was.",
        {404: "400013 400018 400019", 400: "800004 800009 900142 900143 900144"},
    ),
    (
        CATALOGUE,
        "Choose another offer: this one cannot be bought here, now, or by this partner or customer.",
        {200: "400072", 400: "800010 800070 800086", 403: "2006 2085 2091 800020 800028"},
    ),
    (CATALOGUE, "Take the item from the catalogue's products and SKUs.", {400: "2100"}),
)

_OTHER_CALLS: tuple[_Group, ...] = (
    (
        OPERATOR,
        "Ask Microsoft's support: this code belongs to a call that this application does not make.",
        {
            400: """2001 2006 2011 2012 2054 6000 6001 60000 800021 800029 800030 800040 800041 800042
                800061 800063 800065 800072 800078 800080 800081 800085 800090 800091 800092 800093 800095
                800096 800097 800098 800107 800122 900102 900107 900110 900111 900117 900125 900131 900132
                900133 900134 900136 900141 900145 900146 900147 900148 900213 900214 900215 900216 900217
                900218 900219 900220 900221 900222 900224 900236 900247 900248 900257 900258 900259 900260
                900261 900262 900267 900268 900277 900279 900280 900291 900292 900311""",
            403: """800019 800027 800077 800112 800114 800115 900105 900108 900115 900119 900120 900130
                900137 900138 900139 900223 900226 900263 900321""",
            404: "20003 60002 800007 800008 800037 800038 800076 800111 900100 900106 900122 900140",
            408: "900225",
            409: "27009 900101 900104 900109",
            500: "800094 900103 900135",
        },
    ),
)

_PASSING: tuple[_Group, ...] = (
    (CUSTOMER, "Wait some days: the customer's account is under review.", {403: "800073 800074"}),
    (
        CALLER,
        "Wait, up to 24 hours: something else is being done with this order, cart or subscription.",
        {409: "800014 800064 800082 900278"},
    ),
    (
        MICROSOFT,
        "Wait and try again; if it stays, ask Microsoft's support.",
        {500: "800003 800031 800083 800084 800087 900192", 501: "0"},
    ),
)
"""What goes away by itself: the same request can succeed later although nobody changes anything."""


def _rows() -> Iterator[tuple[tuple[int, str], Advice]]:
    lasting = (*_ATTACHMENTS, *_IDENTITY, *_PARTIES, *_ORDERS, *_OTHER_CALLS)
    for groups, retryable in ((lasting, False), (_PASSING, True)):
        for actor, remedy, codes in groups:
            for status, listed in codes.items():
                for code in listed.split():
                    yield (status, code), Advice(actor, retryable, remedy)


TABLE: Mapping[tuple[int, str], Advice] = dict(_rows())

CART_LINES: Mapping[str, str] = {
    "10000": "use the partner's or the customer's currency",
    "10001": "read the catalogue again: there is no such catalogItemId",
    "10002": "order fewer: the quota for it is reached",
    "10003": "order fewer, or later: it is not in stock",
    "10004": "check the reseller: it may not take part in this sale",
    "10006": "ask Microsoft's support: the line cannot be processed as it is",
    "10007": "check the subscription that the line names",
    "10008": "enable the customer's Azure subscription for reservations first",
    "10009": "use another tenant or remove old purchases: the sandbox's limit is reached",
    "10010": "correct the value that the description names",
    "10011": "check the subscription that the line names",
    "10012": "set attestationAccepted on the line",
    "10015": "order fewer: the limit of seats is reached",
}
"""What to do about the error of a cart's line.
https://learn.microsoft.com/en-us/partner-center/developer/cart-resources"""


def cart_line_remedy(code: str) -> str:
    """What to do about a line of a cart, "" for a code that is not documented."""
    return CART_LINES.get(code, "")


_BY_CODE: Mapping[str, Advice] = {
    code: advice
    for (_, code), advice in reversed(list(_rows()))
    if len(code) > 3  # shorter ones also occur as the echo of an HTTP status
}

_BY_STATUS: Mapping[int, Advice] = {
    400: Advice(CALLER, False, "Correct the request as the description says."),
    401: Advice(OPERATOR, False, "Check credentials, audience and MFA: the token was not accepted."),
    403: Advice(OPERATOR, False, "Check roles and relationships: this identity may not do this."),
    404: Advice(CALLER, False, "Check the ids in the path: nothing was found there."),
    408: Advice(MICROSOFT, True, "Wait and try again: Partner Center did not get the request in time."),
    409: Advice(CALLER, False, "Look at what is there before sending again: it conflicts with the request."),
    413: Advice(CALLER, False, "Send smaller or fewer files: Partner Center takes no body of this size."),
    429: Advice(OPERATOR, True, "Wait as long as Partner Center says; send fewer calls at once."),
}
_REDIRECT = Advice(OPERATOR, False, "Check PARTNER_CENTER_BASE_URL: the address answers with a redirect.")
_SERVER_ERROR = Advice(MICROSOFT, True, "Wait and try again; if it stays, ask Microsoft's support.")
_UNDOCUMENTED = Advice(OPERATOR, False, "Ask Microsoft's support: this answer is not documented.")


def advice(status: int, code: str) -> Advice:
    """Return what to do about an answer: by status and code, else by code, else by status alone."""
    found = TABLE.get((status, code)) or _BY_CODE.get(code) or _BY_STATUS.get(status)
    if found is not None:
        return found
    if status >= 500:
        return _SERVER_ERROR
    return _REDIRECT if 300 <= status < 400 else _UNDOCUMENTED


def refuses(status: int, code: str, *, documented: bool, resent: bool = False) -> bool:
    """Whether an answer to a request that changes something is known to say that nothing was done.

    Only two kinds of answer are: one whose status and code stand in the table, and one of REFUSING in a
    documented shape. 5xx and 408 never are, whoever sent them: a gateway cannot tell what the service behind
    it did. `resent`: after a silence a conflict may be with our own first sending, so no 409 is either.
    """
    if status >= 500 or status == 408 or code in UNKNOWN_OUTCOME or (resent and status == 409):
        return False
    return (status, code) in TABLE or (documented and status in REFUSING)


_PAGE = """\
# Error codes of Partner Center

Printed by `python -m shared.partner_center.codes > docs/error-codes.md`; a test keeps it current.

Source: <https://learn.microsoft.com/en-us/partner-center/developer/error-codes>; further sources stand beside
the codes in `shared/partner_center/codes.py`. *Again*: the same request can succeed later although nobody
changes anything.

*Outcome*, of a request that changes something: *refused* means that it is known that nothing was done, and
only these answers say so:

- one whose status and code stand in the first table as *refused*;
- one of {refusing} in a documented shape: a JSON object with `code` (Partner
  Center's error), a JSON object with `message` and a `statusCode` that is the status (the gateway's error), a
  401 with an empty body or with `WWW-Authenticate`, a 429 with `Retry-After`.

After every other answer the outcome is *unknown*: the request may have been carried out all the same, and it
is not repeated before Partner Center was asked what it has. That is so for every 5xx and 408, for redirects,
pages of HTML, a success without its result, an answer that broke off, and, when the request is sent again
after a silence, for every 409.

| Status | Code | Who acts | Again | Outcome | What to do |
| --- | --- | --- | --- | --- | --- |
{codes}

By status, for all other codes:

| Status | Who acts | Again | Outcome | What to do |
| --- | --- | --- | --- | --- |
{statuses}

Of a line of a cart. A cart with such a line is not checked out; source:
<https://learn.microsoft.com/en-us/partner-center/developer/cart-resources>.

| Code | What to do |
| --- | --- |
{lines}
"""


def markdown() -> str:
    """Return docs/error-codes.md."""
    ordered = sorted(TABLE.items(), key=lambda item: (item[0][0], int(item[0][1])))
    codes = [
        f"| {status} | {code} | {row.actor} | {_again(row)} "
        f"| {'refused' if refuses(status, code, documented=True) else 'unknown'} | {row.remedy} |"
        for (status, code), row in ordered
    ]
    named = {**{str(s): row for s, row in _BY_STATUS.items()}, "3xx": _REDIRECT, "5xx": _SERVER_ERROR}
    refusing = {str(status) for status in REFUSING}
    statuses = [
        f"| {name} | {row.actor} | {_again(row)} "
        f"| {'refused, in a documented shape' if name in refusing else 'unknown'} | {row.remedy} |"
        for name, row in {**named, "other": _UNDOCUMENTED}.items()
    ]
    listed = ", ".join(map(str, sorted(REFUSING)))
    lines = [f"| {code} | {remedy[0].upper()}{remedy[1:]}. |" for code, remedy in CART_LINES.items()]
    return _PAGE.format(
        refusing=listed, codes="\n".join(codes), statuses="\n".join(statuses), lines="\n".join(lines)
    )


def _again(row: Advice) -> str:
    return "yes" if row.retryable else "no"


if __name__ == "__main__":
    sys.stdout.write(markdown())
