"""What strangers send costs memory and time in proportion to its size, in every reader.

Each body is read in a process of its own, forked from this one: its peak beyond what it had before is what
the kernel says. https://www.kernel.org/doc/html/latest/filesystems/proc.html (clear_refs, VmHWM)
"""

from __future__ import annotations

import base64
import gc
import multiprocessing
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from attach_po.body import read
from shared.core.errors import AppError
from shared.settings import Limits
from shared.validation.attachments import MAX_SIDECAR, named_files, sidecar
from shared.validation.checkouts import checkout_request
from shared.validation.lines import MAX_ORDER
from shared.validation.orders import order_request
from shared.validation.reviews import MAX_DECISION, review_decision

MIB = 1024 * 1024
FLOOR = 4 * MIB
"""What a document of 20,000 small values may cost, however few bytes it has."""
NOISE = 0.3
"""Seconds of processor time that tell nothing."""
LIMITS = Limits(50 * MIB, 20, 90 * MIB, 180, 120, 1200, 300, 4)
CUSTOMER, ORDER = "c501c3c4-d776-40ef-9ecf-9cefb59442c1", "5cf72f146967"

Make = Callable[[int], bytes]
Read = Callable[[bytes], object]


def repeated(unit: bytes, size: int) -> bytes:
    return b",".join([unit] * (size // (len(unit) + 1)))


def nested(size: int) -> bytes:
    before = ('{"' + "~" * 126 + '😀":') * 30
    return before.encode() + b"[" + repeated(b"NaN", size - len(before.encode()) - 40) + b"]" + b"}" * 30


def members(size: int, name: bytes = b"k") -> bytes:
    one = len(name) + 10
    return b"{" + b",".join(b'"%s%d":1' % (name, n) for n in range(size // one)) + b"}"


def add_ons(unit: bytes) -> bytes:
    return unit[:-1] + b',"addonItems":[' + b",".join([unit] * 50) + b"]}"


def documents(content: bytes) -> bytes:
    head = b'{"metadata":{"customerPrice":"1","currency":"CAD"},"poFiles":[{"fileName":"a.pdf","content":"'
    return head + content + b'"}]}'


PART: bytes = b'--XX\r\nContent-Disposition: form-data; name="pofiles"; filename="a.pdf"\r\n'
JSON: Mapping[str, Make] = {
    "constants under long names": nested,
    "constants": lambda n: b"[" + repeated(b"NaN", n) + b"]",
    "empty arrays": lambda n: b"[" + repeated(b"[]", n) + b"]",
    "empty lines": lambda n: b'{"lineItems":[' + repeated(b"{}", n) + b"]}",
    "lines": lambda n: b'{"lineItems":[' + repeated(b'{"offerId":"a","quantity":1}', n) + b"]}",
    "faulty lines": lambda n: b'{"lineItems":[' + repeated(b'{"offerId":1,"quantity":"x"}', n) + b"]}",
    "lines of unknown members": lambda n: b'{"lineItems":[' + repeated(members(1000), n) + b"]}",
    "lines of a cart": lambda n: (
        b'{"lineItems":[' + repeated(b'{"catalogItemId":"a","quantity":1}', n) + b"]}"
    ),
    "add-ons": lambda n: (
        b'{"lineItems":[' + repeated(add_ons(b'{"catalogItemId":"a","quantity":1}'), n) + b"]}"
    ),
    "faulty add-ons": lambda n: b'{"lineItems":[' + repeated(add_ons(b'{"catalogItemId":1}'), n) + b"]}",
    "unknown members": members,
    "unknown members of long names": lambda n: members(n, b"x" * 100),
    "one name again and again": lambda n: b"{" + repeated(b'"a":1', n) + b"}",
    "a wide name again and again": lambda n: b"{" + repeated(f'"{"😀" * 120}":1'.encode(), n) + b"}",
    "half surrogates": lambda n: b"[" + repeated(b'"\\ud800"', n) + b"]",
    "depth": lambda n: b"[" * (n // 2) + b"]" * (n // 2),
    "a long number": lambda n: b"[" + b"1" * n + b"]",
    "long numbers": lambda n: b"[" + repeated(b"1" * 200 + b".5", n) + b"]",
    "a wide text": lambda n: b'"' + "😀".encode() * (n // 4) + b'"',
    "an escaped text": lambda n: b'"' + b"\\u00e9" * (n // 6) + b'"',
    "quotes": lambda n: b'"' + b'\\"' * (n // 2) + b'"',
    "names": lambda n: b'{"poFiles":[' + b",".join(b'"%d.pdf"' % i for i in range(n // 12)) + b"]}",
    "one name for many files": lambda n: b'{"poFiles":[' + repeated(b'"a.pdf"', n) + b"]}",
}
BASE64: Mapping[str, Make] = {
    "base64": lambda n: documents(b"JVBE" * (n // 4)),
    "base64 with blanks": lambda n: documents(b"JV " * (n // 3)),
    "base64 with escapes": lambda n: documents(b"JVBE\\n" * (n // 6)),
    "base64 with a wide letter": lambda n: documents(b"JVBE" * (n // 4) + "😀".encode()),
    "base64 with an escaped wide letter": lambda n: documents(b"JVBE" * (n // 4) + b"\\ud83d\\ude00"),
    "base64 beside a wide name": lambda n: documents(b"JVBE" * (n // 4)).replace(b"a.pdf", "😀.pdf".encode()),
}


def wrapped(kind: bytes, content: bytes) -> bytes:
    return b'{"$content-type":"' + kind + b'","$content":"' + base64.b64encode(content) + b'"}'


def parts(body: bytes) -> bytes:
    head = (
        b'{"$multipart":[{"headers":{"content-disposition":"form-data; name=pofiles; filename=a.pdf"},"body":'
    )
    return head + body + b"}]}"


FLOWS: Mapping[str, Make] = {
    "a wrapped form": lambda n: wrapped(
        b"multipart/form-data; boundary=XX", PART + b"\r\n%PDF-" + b"x" * (n * 3 // 4) + b"\r\n--XX--\r\n"
    ),
    "wrapped JSON": lambda n: wrapped(b"application/json", documents(b"JVBE" * (n * 3 // 16))),
    "wrapped constants": lambda n: wrapped(b"application/json", nested(n * 3 // 4)),
    "a part of base64": lambda n: parts(b'{"$content":"' + b"JVBE" * (n // 4) + b'"}'),
    "a part of text": lambda n: parts(b'"' + b"JVBE" * (n // 4) + b'"'),
    "a part of JSON": lambda n: parts(members(n)),
    "many parts": lambda n: b'{"$multipart":[' + repeated(b"{}", n) + b"]}",
    "metadata as text": lambda n: b'{"metadata":"' + b"[" * n + b'","poFiles":{}}',
}
FORM: Mapping[str, Make] = {
    "a long part header": lambda n: (
        b"--XX\r\nContent-Disposition: form-data; name=" + b"a" * n + b"\r\n\r\n--XX--"
    ),
    "a header without an end": lambda n: b"--XX\r\nContent-Disposition: form-data; name=" + b"a" * n,
    "many header lines": lambda n: b"--XX\r\n" + b"X: y\r\n" * (n // 6) + b"\r\nx\r\n--XX--\r\n",
    "no boundary": lambda n: b"x" * n,
    "line breaks": lambda n: PART + b"\r\n" + b"\r\n" * (n // 2) + b"--XX--\r\n",
    "beginnings of boundaries": lambda n: PART + b"\r\n" + b"\r\n--X" * (n // 5) + b"\r\n--XX--\r\n",
    "one file": lambda n: PART + b"\r\n%PDF-" + b"x" * n + b"\r\n--XX--\r\n",
    "a file without an end": lambda n: PART + b"\r\n%PDF-" + b"x" * n,
    "metadata of many bytes": lambda n: (
        b"--XX\r\nContent-Disposition: form-data; name=metadata\r\n\r\n" + b"[" * n
    ),
    "empty parts": lambda n: (PART + b"\r\n\r\n") * (n // 80) + b"--XX--\r\n",
    "what is before the parts": lambda n: b"\r\n" * (n // 2) + PART + b"\r\nx\r\n--XX--\r\n",
    "what is after the parts": lambda n: PART + b"\r\nx\r\n--XX--\r\n" + b"x" * n,
}


def cases() -> list[tuple[str, Read, Make, int, float]]:
    """A name, a reader, what makes a body, the size of a body, and how many times that it may cost."""

    def form(raw: bytes) -> object:
        return read("multipart/form-data; boundary=XX", raw, LIMITS, CUSTOMER, ORDER)

    def flow(raw: bytes) -> object:
        return read("application/json", raw, LIMITS, CUSTOMER, ORDER)

    def order(raw: bytes) -> object:
        return order_request(raw, CUSTOMER)

    names = {says: JSON[says] for says in ("constants under long names", "one name for many files")}
    read_by: list[tuple[str, Read, int, float, Mapping[str, Make]]] = [
        ("order", order, MAX_ORDER, 4.0, JSON),
        ("checkout", checkout_request, MAX_ORDER, 4.0, JSON),
        ("sidecar", sidecar, MAX_SIDECAR, 4.0, JSON),
        ("names in a faulty sidecar", named_files, MAX_SIDECAR, 4.0, names),
        ("decision", review_decision, MAX_DECISION, 4.0, names),
        ("documents", flow, 4 * MIB, 4.0, {**JSON, **BASE64, **FLOWS}),
        ("form", form, 4 * MIB, 2.0, FORM),
    ]
    return [
        (f"{name}: {says}", reader, make, size, times)
        for name, reader, size, times, family in read_by
        for says, make in family.items()
    ]


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def _measure(sender: Connection, reader: Read, raw: bytes) -> None:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before, began = _status("VmRSS"), time.process_time()
    try:
        reader(raw)
        told = "read"
    except AppError as error:
        told = type(error).__name__
    took = time.process_time() - began
    sender.send((_status("VmHWM") - before, took, told))


def measured(reader: Read, raw: bytes) -> tuple[int, float, str]:
    """Bytes at the peak, seconds of processor time, and how it ended."""
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_measure, args=(sender, reader, raw))
    process.start()
    sender.close()
    found: tuple[int, float, str] = receiver.recv()
    process.join()
    return found


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("reader", "make", "size", "times"), [case[1:] for case in cases()], ids=[case[0] for case in cases()]
)
def test_a_body_costs_what_its_size_allows(reader: Read, make: Make, size: int, times: float) -> None:
    body = make(size - 1024)
    peak, took, _ = measured(reader, body)

    assert peak <= times * len(body) + FLOOR
    if took > NOISE:
        _, little, _ = measured(reader, make(size // 4))
        assert took <= NOISE + 8 * little, "four times the size takes four times the time, not sixteen times"
