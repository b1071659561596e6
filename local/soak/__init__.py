"""The soak: many drops and orders over several hosts while everything around them fails, then a count.

`python -m local soak` (docs/soak.md). One seed decides what is dropped and ordered, when, and what goes
wrong; how processes interleave is the machine's own. Nothing may happen twice, and nothing may be lost.
"""
