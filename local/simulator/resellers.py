"""What Partner Center says of the partner's indirect resellers.

https://learn.microsoft.com/en-us/partner-center/developer/retrieve-a-list-of-indirect-resellers
https://learn.microsoft.com/en-us/partner-center/developer/validate-reseller-partner-of-record
"""

from __future__ import annotations

from collections.abc import Sequence

from local.simulator.replies import refused
from local.simulator.state import Reseller, reseller_json
from local.simulator.strict_json import StrictJsonError, canonical, read_object

NOT_VALID = 900400
"""The documented errorCode, a number here, of a PartnerID that may not stand on an order."""


def related(kind: str, resellers: Sequence[Reseller]) -> list[dict[str, object]]:
    """Return the relationships of one relationship_type; raises Refused for an unknown one."""
    if kind.lower() == "isindirectresellerof":
        return []  # what a reseller asks; the simulated partner is a provider
    if kind.lower() != "isindirectcloudsolutionproviderof":
        raise refused("800002", "relationship_type is missing or unknown.")
    return [reseller_json(item) for item in resellers]


def validate(body: bytes, resellers: Sequence[Reseller]) -> dict[str, object]:
    """Say of each PartnerID in `{"partnerIds": [...]}` whether it may stand on an order; raises Refused."""
    try:
        given = canonical(read_object(body), ["partnerIds"], known_only=True).get("partnerIds")
    except StrictJsonError as error:
        raise refused("800002", str(error)) from None
    if not isinstance(given, list) or not given or not all(isinstance(item, str) for item in given):
        raise refused("800002", "partnerIds is not a list of texts.")
    active = {item.mpn_id for item in resellers if item.state.lower() == "active"}
    return {"validationResults": [_result(partner_id, partner_id in active) for partner_id in given]}


def _result(partner_id: str, valid: bool) -> dict[str, object]:
    result: dict[str, object] = {"partnerId": partner_id, "isValidPartnerIdOnRecord": valid}
    if not valid:
        result |= {
            "errorCode": NOT_VALID,
            "errorDescription": f"{partner_id} is not an active indirect reseller.",
        }
    return result
