"""The border: bytes and strings from strangers go in, frozen values come out or every violation is named.

Each function raises InvalidInputError that carries all violations at once; `ViolationCollector` joins several
checks into one answer. Nothing here does I/O or knows of HTTP.
"""
