"""What the three function folders share.

The arrows run one way: handlers -> problem, first_call -> wiring -> services -> storage, partner_center ->
auth -> validation -> models -> errors. Nothing in here imports a handler or `local`; errors, models,
validation, ledger and drops import no Azure package, no HTTP package, no clock and no environment.
"""
