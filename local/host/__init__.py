"""A Functions host for development: HTTP, blob, queue and timer triggers around the official runtime.

The application runs in this very process on `azure-functions-runtime`, the package that Azure runs for
Python 3.13 and later: it imports and indexes the app, decodes bindings and calls the functions. What Azure's
.NET host does around it (routing, keys, storage queues, poison handling, schedules, time limits) is done
here, small and readable, with the facts cited where they are used. It never runs inside Azure.

The arrows run one way: __main__ -> app -> admin, *_trigger, blob_scan ->
listener -> invoker -> runtime -> protos;
routes, ncrontab, blob_events, functions are pure; config stands on polling alone.
"""
