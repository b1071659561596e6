"""Amounts and rates: digits as they were written, and what to write instead of what a sheet made of them."""

from __future__ import annotations

import re

from shared.core.json_faults import is_currency
from shared.core.strict_json import Number

_GAP = "[ \u00a0\u2009\u202f'\u2019]"
"""What separates thousands beside point and comma."""


def amount(value: object) -> str:
    """A price in plain digits; ValueError says why it is none."""
    return _decimal(value, 6, "156.87")


def rate(value: object) -> str:
    """An exchange rate above 0 in plain digits; ValueError says why it is none."""
    digits = _decimal(value, 12, "0.00006123")
    if not digits.strip("0."):
        raise ValueError("must be greater than 0")
    return digits


def _decimal(value: object, places: int, example: str) -> str:
    if isinstance(value, Number):
        value = value.text
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("must be a decimal number, as a JSON number or as a string")
    if value.startswith("-"):
        raise ValueError("must not be negative")
    plain = rf"[0-9]{{1,15}}(\.[0-9]{{1,{places}}})?"
    if re.fullmatch(plain, value):
        return value
    written = _as_written(value) if len(value) <= len(example) + 64 else None
    if written and all(re.fullmatch(plain, meant) for meant in written[1]):
        raise ValueError(f"has {written[0]}; write {' or '.join(written[1])}")
    raise ValueError(
        f"must be plain digits such as {example}: at most 15 before and {places} after the point, "
        "without sign, exponent, comma or currency"
    )


def _as_written(text: str) -> tuple[str, list[str]] | None:
    """What a number has that it must not have, and the digits that it can mean."""
    found = []
    core = text.strip()
    if core != text:
        found.append("spaces around it")
    bare = _without_currency(core)
    if bare != core:
        found.append("a currency, which belongs in currency")
    if re.fullmatch(r"[0-9]{1,3},[0-9]{3}", bare):
        found.append("a comma, which can mean two things")
        return ", ".join(found), [bare.replace(",", ""), bare.replace(",", ".")]
    if re.fullmatch(rf"[0-9]{{1,3}}(({_GAP}|\.)[0-9]{{3}})+,[0-9]+", bare):
        found.append("thousands separators and a decimal comma")
        return ", ".join(found), [re.sub(rf"{_GAP}|\.", "", bare).replace(",", ".")]
    if re.fullmatch(rf"[0-9]{{1,3}}(({_GAP}|,)[0-9]{{3}})+(\.[0-9]+)?", bare):
        found.append("thousands separators")
        return ", ".join(found), [re.sub(rf"{_GAP}|,", "", bare)]
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{3}){2,}", bare):
        found.append("thousands separators")
        return ", ".join(found), [bare.replace(".", "")]
    if re.fullmatch(r"[0-9]+,[0-9]+", bare):
        found.append("a decimal comma")
        return ", ".join(found), [bare.replace(",", ".")]
    return (", ".join(found), [bare]) if found else None


def _without_currency(text: str) -> str:
    """The text without the sign or code of a currency before or behind it."""
    head = re.match(r"([^\s\d.,+-]{1,3})\s*(?=[0-9])", text)
    tail = re.search(r"(?<=[0-9])\s*([^\s\d.,+-]{1,3})$", text)
    if head and is_currency(head[1]):
        return text[head.end() :]
    return text[: tail.start()] if tail and is_currency(tail[1]) else text
