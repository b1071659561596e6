"""What keeps a text from being JSON, in the words of those who write it by hand, in a flow or in a sheet."""

from __future__ import annotations

import json
import re
import unicodedata

_NEAR = 64
"""Characters around a fault that are looked at."""

_COMMA = "a number has a comma or a space in it; write it with a point and nothing else, such as 1234.56"
_CURRENCY = "a number has a currency beside it; write the digits alone, such as 156.87"
_HERE: tuple[tuple[str, str], ...] = (
    (r"//|/\*|#", "it has a comment, which JSON does not know; leave it out"),
    (r"['\u2018\u2019\u201a\u201b`]", 'it has single quotes; write straight double quotes: "'),
    (r"[\u201c\u201d\u201e\u201f\u00ab\u00bb]", 'it has typographic quotes; write straight double quotes: "'),
    (r"(?i:https?://)", "a link has no quotes; write it in double quotes"),
    (r"(?i:true|false|null|none)\b", "true, false and null are written in lower case and without quotes"),
    (r"\+", "a number has a plus sign; leave it out"),
    (r"\.[0-9]", "a number begins with the point; write a zero before it, such as 0.5"),
)
_BY_MESSAGE = {
    "Expecting property name": "the name of a member is missing or has no quotes; write it in double quotes",
    "Expecting value": "a value is missing, or is a text without quotes; write texts in double quotes",
    "Expecting ':'": "the colon after the name of a member is missing",
    "Expecting ','": "the comma between two members or values is missing, or a text has a quote in it",
    "Unterminated string": "a text has no closing double quote",
    "Invalid control": "a text has a line break or a tab in it; write \\n or \\t",
    "Invalid \\": "a text has a single backslash in it; write it twice",
    "Extra data": "something follows after its end; send one document",
}


def explain(error: json.JSONDecodeError) -> str:
    """What is wrong, and how to write it; nothing of the text is repeated."""
    text, at = error.doc, error.pos
    here = text[at : at + _NEAR].lstrip()
    before = text[max(0, at - _NEAR) : at].rstrip()
    named = _trailing_comma(before, here) or _number(before, here)
    if named or error.msg.startswith(("Unterminated", "Invalid")):
        return named or _by_message(error)
    if not here:
        return "it breaks off: its end is missing"
    return next((say for pattern, say in _HERE if re.match(pattern, here)), "") or _by_message(error)


def _by_message(error: json.JSONDecodeError) -> str:
    return next(
        (say for start, say in _BY_MESSAGE.items() if error.msg.startswith(start)), "it cannot be read"
    )


def _trailing_comma(before: str, here: str) -> str:
    # Python 3.13 points at the comma, earlier ones at what follows it
    if (before.endswith(",") and here[:1] in ("}", "]")) or re.match(r",\s*[}\]]", here):
        return "a comma stands before a closing bracket; leave it out"
    return ""


def _number(before: str, here: str) -> str:
    if re.search(r"(?<![0-9.])0$", before) and re.match(r"[0-9]", here):
        return "a number begins with a zero; leave it out, or write a text in double quotes"
    if re.search(r"[0-9],?$", before) and re.match(r"[0-9]", here):
        return _COMMA
    unit = re.match(r"([^\s\d\"'{}\[\],:./#+-]{1,3})\s*(?P<digits>[0-9])?", here)
    beside = unit and (unit["digits"] or re.search(r"[0-9.]$", before))
    return _CURRENCY if unit and beside and is_currency(unit[1]) else ""


def is_currency(unit: str) -> bool:
    """Whether a text is like the sign or the code of a currency: `€`, `US$`, `EUR`."""
    code = unit.isascii() and unit.isalpha() and len(unit) == len("EUR")
    return code or any(unicodedata.category(letter) == "Sc" for letter in unit)
