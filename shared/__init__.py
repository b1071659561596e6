"""What the three function folders share.

The arrows run one way: handlers -> problem, http, first_call -> wiring -> services -> storage,
partner_center -> auth -> validation -> models -> core, errors. Nothing in here imports a handler or `local`;
errors, models, strict_json, validation and core import no Azure package, no HTTP package, no clock and no
environment (tests/structure).
"""
