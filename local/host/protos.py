"""The messages that host and runtime exchange, as plain Python classes.

`azure-functions-runtime` is handed this module and never imports protobuf itself. The names and numbers are
those of https://github.com/Azure/azure-functions-language-worker-protobuf (FunctionRpc.proto); only what the
runtime uses is here.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Message:
    """A message with the fields it was given; every other field reads as None."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - protobuf fields are of any type
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("__"):
            raise AttributeError(name)
        return None


class TypedData:
    """At most one of string, json, bytes, int, double, http, model_binding_data."""

    __slots__ = ("kind", "value")

    def __init__(self, **field: Any) -> None:  # noqa: ANN401
        self.kind: str | None = next(iter(field), None)
        self.value: Any = field.get(self.kind) if self.kind else None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name == self.kind:
            return self.value
        raise AttributeError(name)

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's own name
        """Name of the field that is set."""
        return self.kind


class ParameterBinding:
    """One argument of an invocation: the parameter's name and its data."""

    def __init__(self, name: str, data: TypedData) -> None:
        self.name = name
        self.data = data

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's own name
        """The data always travels inside the message, never through shared memory."""
        return "data"


class ModelBindingData(Message):
    """version, source, content_type and content of an SDK-type binding."""


class RpcHttp:
    """A request (method to body) or a response (status_code, headers, cookies, body)."""

    def __init__(
        self,
        *,
        method: str = "",
        url: str = "",
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        body: TypedData | None = None,
        status_code: str = "200",
        cookies: list[RpcHttpCookie] | None = None,
        enable_content_negotiation: bool = False,
    ) -> None:
        self.method = method
        self.url = url
        self.headers = headers or {}
        self.params = params or {}
        self.query = query or {}
        self.body = body if body is not None else TypedData()
        self.status_code = status_code
        self.cookies = cookies or []
        self.enable_content_negotiation = enable_content_negotiation


class RpcHttpCookie(Message):
    """name, value and attributes; optional ones are wrapped in a Nullable… message or None."""

    SameSite = IntEnum("SameSite", {"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})


class NullableString(Message):
    """A str in `value`."""


class NullableBool(Message):
    """A bool in `value`."""


class NullableDouble(Message):
    """A float in `value`."""


class NullableTimestamp(Message):
    """A Timestamp in `value`."""


class Timestamp:
    """Seconds since 1970 in UTC."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds


class BindingInfo(Message):
    """type, direction and data_type of a binding."""

    undefined = 0
    out = 1
    inout = 2


class StatusResult(Message):
    """status (Failure or Success) and, on failure, an RpcException in `exception`."""

    Failure = 0
    Success = 1


class RpcException(Message):
    """message and stack_trace."""


class RpcFunctionMetadata(Message):
    """name, function_id, raw_bindings (JSON strings) and more about one indexed function."""


class RpcRetryOptions(Message):
    """The retry policy of a decorator."""


class WorkerMetadata(Message):
    """Version of the runtime."""


class WorkerInitResponse(Message):
    """result and capabilities."""


class FunctionMetadataResponse(Message):
    """function_metadata_results: one RpcFunctionMetadata for each function."""


class FunctionLoadResponse(Message):
    """result."""


class FunctionEnvironmentReloadResponse(Message):
    """result and capabilities."""


class InvocationResponse(Message):
    """invocation_id, result, return_value and output_data."""
