"""The table of error codes: complete, safe for what is not in it, and the page made from it is current."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.partner_center import codes

DOCUMENTED = {
    200: "400072",
    400: """2001 2002 2006 2011 2012 2054 2055 2071 2100 3000 4018 6000 6001 27006 27007 60000 600002 600049
        600050 600051 800002 800004 800009 800010 800011 800012 800013 800016 800017 800018 800021
        800022 800024 800025 800026 800029 800030 800040 800041 800042 800061 800062 800063 800065
        800070 800071 800072 800078 800080 800081 800085 800086 800090 800091 800092 800093 800095
        800096 800097 800098 800107 800121 800122 900102 900107 900110 900111 900116 900117 900118
        900125 900126 900127 900128 900129 900131 900132 900133 900134 900136 900141 900142 900143
        900144 900145 900146 900147 900148 900169 900203 900206 900213 900214 900215 900216 900217
        900218 900219 900220 900221 900222 900224 900236 900242 900244 900245 900246 900247 900248
        900252 900253 900254 900257 900258 900259 900260 900261 900262 900267 900268 900269 900270
        900275 900277 900279 900280 900291 900292 900311 900312 900313 900314 900315 900316 900317
        900318""",
    401: "400 800001 10001 900421",
    403: """2006 2030 2032 2085 2091 13605 20002 800019 800020 800023 800027 800028 800039 800043 800066
        800067 800068 800069 800073 800074 800075 800077 800088 800089 800112 800114 800115 900105 900108
        900115 900119 900120 900121 900123 900124 900130 900137 900138 900139 900149 900150 900223
        900226 900263 900308 900309 900321 900322 900323 900329""",
    404: """1000 2072 20000 20003 60002 60003 400013 400018 400019 800007 800008 800015 800037 800038 800076
        800111 900100 900106 900122 900140""",
    408: "900225",
    409: "27009 800014 800060 800064 800082 900101 900104 900109 900112 900113 900114 900278",
    417: "800036",
    500: "800003 800005 800031 800083 800084 800087 800094 900103 900135 900192",
    501: "0",
}
"""https://learn.microsoft.com/en-us/partner-center/developer/error-codes, edition of 06/15/2023, and for the
first 401 codes the pages named in the table."""


def test_every_documented_code_is_in_the_table() -> None:
    documented = {(status, code) for status, listed in DOCUMENTED.items() for code in listed.split()}

    assert documented - set(codes.TABLE) == set()


def test_no_code_stands_twice_under_one_status() -> None:
    assert len(list(codes._rows())) == len(codes.TABLE)


def test_every_row_names_who_acts_and_says_what_in_one_sentence() -> None:
    actors = {"caller", "partner", "customer", "reseller", "operator", "catalogue", "microsoft"}
    for row in codes.TABLE.values():
        assert row.actor in actors
        assert row.remedy.endswith(".")
        assert row.remedy.count(".") == 1
        assert "|" not in row.remedy


def test_the_page_is_printed_from_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "error-codes.md"

    assert page.read_text("utf-8") == codes.markdown()


def test_a_code_means_something_else_under_another_status() -> None:
    assert codes.advice(403, "2006").actor == "catalogue"
    assert codes.advice(400, "2006").actor == "operator"


def test_a_code_under_a_status_that_is_not_documented_keeps_its_meaning() -> None:
    assert codes.advice(422, "900252") == codes.advice(400, "900252")


def test_a_code_that_repeats_the_status_is_no_code() -> None:
    assert codes.advice(400, "400") == codes.advice(400, "")
    assert codes.advice(400, "0") == codes.advice(400, "")


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 405, 409, 412, 413, 418, 451])
def test_a_code_that_nobody_knows_is_not_repeated(status: int) -> None:
    assert not codes.advice(status, "999999").retryable


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_what_passes_may_be_repeated_once_the_outcome_is_known(status: int) -> None:
    assert codes.advice(status, "").retryable


NEWER = [(403, "900416"), (400, "900419"), (400, "900154"), (403, "90000")]


@pytest.mark.parametrize(("status", "code"), NEWER)
def test_codes_of_newer_editions_are_in_the_table_too(status: int, code: str) -> None:
    assert (status, code) in codes.TABLE


@pytest.mark.parametrize("documented", [True, False])
@pytest.mark.parametrize(("status", "code"), sorted(codes.TABLE))
def test_a_code_of_the_table_refuses_unless_it_is_known_not_to_tell(
    status: int, code: str, documented: bool
) -> None:
    silent = status in (408, 500, 501) or code == "800060"

    assert codes.refuses(status, code, documented=documented) is not silent
    resent = codes.refuses(status, code, documented=documented, resent=True)
    assert resent is (not silent and status != 409)


@pytest.mark.parametrize("status", range(100, 600))
def test_of_other_codes_only_some_statuses_refuse_and_only_in_a_documented_shape(status: int) -> None:
    refusing = status in (400, 401, 403, 404, 413, 429)

    for code in ("", "4711", "no number"):
        assert codes.refuses(status, code, documented=True) is refusing
        assert codes.refuses(status, code, documented=True, resent=True) is refusing
        assert not codes.refuses(status, code, documented=False)


@pytest.mark.parametrize("code", ["800060", "800005"])
def test_a_code_that_does_not_tell_tells_under_no_status(code: str) -> None:
    for status in (200, 400, 403, 409, 500):
        assert not codes.refuses(status, code, documented=True)


def test_mfa_and_conditional_access_tell_the_operator_what_to_do() -> None:
    for status, code, word in (
        (401, "900421", "multifactor"),
        (401, "10001", "multifactor"),
        (403, "900309", "policy"),
    ):
        assert codes.advice(status, code).actor == "operator"
        assert word in codes.advice(status, code).remedy
