"""The members of an order, of a cart and of their lines as the documents name them, and what each one takes.

https://learn.microsoft.com/en-us/partner-center/developer/order-resources
https://learn.microsoft.com/en-us/partner-center/developer/cart-resources
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_text_map(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_anything(value: object) -> bool:
    return True


Members = Mapping[str, Callable[[object], bool]]
"""Name of a member to what says whether it takes a value."""

ORDER_FIELDS: Members = {
    "id": _is_text,
    "alternateId": _is_text,
    "referenceCustomerId": _is_text,
    "billingCycle": _is_anything,
    "currencyCode": _is_text,
    "currencySymbol": _is_text,
    "lineItems": _is_list,
    "creationDate": _is_text,
    "status": _is_anything,
    "transactionType": _is_text,
    "totalPrice": _is_anything,
    "partnerOnRecordAttestationAccepted": _is_flag,
    "links": _is_object,
    "attributes": _is_object,
    "client": _is_object,
}
LINE_FIELDS: Members = {
    "lineItemNumber": _is_whole,
    "offerId": _is_text,
    "quantity": _is_whole,
    "friendlyName": _is_text,
    "termDuration": _is_text,
    "customTermEndDate": _is_text,
    "promotionId": _is_text,
    "renewsTo": _is_object,
    "partnerIdOnRecord": _is_text,
    "additionalPartnerIdsOnRecord": _is_texts,
    "attestationAccepted": _is_flag,
    "provisioningContext": _is_text_map,
    "purchaseCommitment": _is_object,
    "parentSubscriptionId": _is_text,
    "subscriptionId": _is_text,
    "transactionType": _is_text,
    "pricing": _is_object,
    "links": _is_object,
    "attributes": _is_object,
}
CART_FIELDS: Members = {
    "id": _is_text,
    "creationTimeStamp": _is_text,
    "lastModifiedTimeStamp": _is_text,
    "expirationTimeStamp": _is_text,
    "lastModifiedUser": _is_text,
    "status": _is_text,
    "lineItems": _is_list,
    "partnerOnRecordAttestationAccepted": _is_flag,
    "links": _is_object,
    "attributes": _is_object,
}
CART_LINE_FIELDS: Members = {
    "id": _is_anything,
    "catalogItemId": _is_text,
    "quantity": _is_whole,
    "billingCycle": _is_anything,
    "termDuration": _is_text,
    "friendlyName": _is_text,
    "currencyCode": _is_text,
    "participants": _is_list,
    "provisioningContext": _is_text_map,
    "orderGroup": _is_text,
    "addonItems": _is_list,
    "renewsTo": _is_object,
    "attestationAccepted": _is_flag,
    "promotionId": _is_text,
    "customTermEndDate": _is_text,
    "error": _is_object,
    "attributes": _is_object,
}
PARTICIPANT_FIELDS: Members = {"key": _is_text, "value": _is_text}
RENEWS_TO_FIELDS: Members = {"termDuration": _is_text}
ATTACHMENT_FIELDS = ("attachmentId", "fileName", "sizeInKB", "attachmentType")
"""https://learn.microsoft.com/en-us/partner-center/developer/attaching-purchase-order-and-completing-po-details"""
LIST_FIELDS = ("totalCount", "attributes")
"""What a list has beside its items."""
