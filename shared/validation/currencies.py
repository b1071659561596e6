"""The currencies that a price can be given in."""

from __future__ import annotations

# ISO 4217 list one as published on 2026-01-01 by its maintenance agency,
# https://www.six-group.com/en/products-services/financial-information/data-standards.html
# without the entries that have no minor unit ("N.A."): metals, bond units, XDR, XSU, XUA, XTS, XXX.
_CODES = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
    CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
    GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
    KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
    MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX
    USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())


def iso_currency(text: str) -> str:
    """The code in upper case; ValueError says why it is none."""
    code = text.upper() if text.isascii() else ""
    if code not in CURRENCIES:
        raise ValueError("is not a current ISO 4217 currency code, such as EUR")
    return code
