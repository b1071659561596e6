"""A small application that exercises every trigger; what it saw goes, one JSON line each, to a file.

Settings: SAMPLE_LOG (path of that file), TICK_SCHEDULE (NCRONTAB), SAMPLE_STUCK (seconds for which a blob
named `stuck…` keeps its function busy), WORK_QUEUE (the queue of `on_work`), SAMPLE_GATES (a folder: a
message `held…` keeps its function busy until there is a file of that name).
"""

import json
import logging
import os
import time
from pathlib import Path

import azure.functions as func
from azurefunctions.extensions.bindings import blob

app = func.FunctionApp()
present: set[str] = set()
WORK_QUEUE = os.environ.get("WORK_QUEUE", "work")


def note(**seen: object) -> None:
    with open(os.environ["SAMPLE_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(seen) + "\n")


@app.route("echo/{number:int}/{*rest}", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "route": dict(req.route_params),
        "length": len(req.get_body()),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route("echo/special/{name?}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def special(req: func.HttpRequest) -> str:
    return f"special {req.route_params.get('name', 'nobody')}"


@app.route("only-admin", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
def only_admin(req: func.HttpRequest) -> str:
    return "admin"


@app.function_name("by-its-name")
@app.route(auth_level=func.AuthLevel.ANONYMOUS)
def named(req: func.HttpRequest, context: func.Context) -> str:
    return context.function_name


@app.route("refuse", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def refuse(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(
        json.dumps({"title": "No", "status": 422}).encode(),
        status_code=422,
        mimetype="application/problem+json",
        headers={"X-Correlation": "c-1"},
    )
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    response.headers.add("Set-Cookie", "b=2; Max-Age=60; SameSite=Lax; Secure")
    return response


@app.route("fails", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise ValueError("boom")


@app.route("bad-header", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def bad_header(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("x", headers={"X-Name": "Zoë"})


@app.route("sleep", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def sleeps(req: func.HttpRequest) -> str:
    time.sleep(float(req.params["seconds"]))
    return "slept"


@app.route("meet", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def meet(req: func.HttpRequest) -> str:
    present.add(req.params["who"])
    while len(present) < int(req.params["of"]):
        time.sleep(0.01)
    return "all here"


@app.blob_trigger(
    "client", path="incoming/{name}", connection="DocumentStorage", source=func.BlobSource.EVENT_GRID
)
def on_blob(client: blob.BlobClient) -> None:
    name = client.blob_name
    note(function="on_blob", container=client.container_name, name=name, pid=os.getpid())
    if name.startswith("bad"):
        raise RuntimeError("this blob always fails")
    if name.startswith("stuck"):
        time.sleep(float(os.environ.get("SAMPLE_STUCK", "0")))
    note(function="on_blob", done=name, pid=os.getpid())


@app.blob_trigger(
    "stream",
    path="scanned/{folder}/{name}.txt",
    connection="DocumentStorage",
    source=func.BlobSource.LOGS_AND_CONTAINER_SCAN,
)
def on_scan(stream: func.InputStream) -> None:
    note(function="on_scan", name=stream.name, size=stream.length, text=stream.read().decode())


@app.queue_trigger("message", queue_name="webjobs-blobtrigger-poison", connection="DocumentStorage")
def on_poison(message: func.QueueMessage) -> None:
    logging.info("a poison message came")
    note(function="on_poison", body=message.get_json(), count=message.dequeue_count)


@app.queue_trigger("message", queue_name=WORK_QUEUE, connection="DocumentStorage")
def on_work(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    note(function="on_work", body=body, count=message.dequeue_count, pid=os.getpid(), at=time.monotonic())
    while body.startswith("held") and not Path(os.environ["SAMPLE_GATES"], body).exists():
        time.sleep(0.02)
    if "bad" in body:
        raise RuntimeError("this message always fails")
    note(function="on_work", done=body, pid=os.getpid())


@app.queue_trigger("message", queue_name=f"{WORK_QUEUE}-poison", connection="DocumentStorage")
def on_work_poison(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    note(function="on_work_poison", body=body, count=message.dequeue_count)
    if "bad for good" in body:
        raise RuntimeError("this message fails here too")


@app.timer_trigger("timer", schedule="%TICK_SCHEDULE%", run_on_startup=True)
def tick(timer: func.TimerRequest) -> None:
    note(function="tick", past_due=timer.past_due)
