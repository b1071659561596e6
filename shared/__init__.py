"""What the function folders share: rooms that import downwards only, as pyproject.toml says (`lint-imports`).

container, bootstrap    the services of this process, put together from its settings
web                     answers and problems over HTTP; the types of azure.functions end here
tools                   doctor and consent: commands for operators
services                what happens: submissions, drops, receipts, sweep, worker, review
partner_center          the wire to Partner Center
auth, storage           tokens; blobs, ledger, receipts, queue
validation              bytes from outside -> values
audit_log, http_pool, settings, settings_table, clock    what every room may use
core                    rules and values; no Azure, no HTTP, no clock, no environment
"""
