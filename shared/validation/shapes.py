"""Pydantic's findings, said in our words and at the place where the caller wrote them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, get_args

from pydantic import AliasChoices, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from shared.core.strict_json import Json, camel, join_pointer, pascal
from shared.validation.collecting import ViolationCollector
from shared.validation.hints import meant_name

_SPACES = " \t\u00a0"
Shape = TypeVar("Shape", bound=BaseModel)

_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "string_type": lambda _: "must be a string",
    "int_type": lambda _: "must be a whole number, not a string or a decimal",
    "bool_type": lambda _: "must be true or false",
    "tuple_type": lambda _: "must be an array",
    "list_type": lambda _: "must be an array",
    "dict_type": lambda _: "must be an object",
    "model_type": lambda _: "must be a JSON object",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "too_long": lambda ctx: f"must contain at most {ctx['max_length']}",
    "value_error": lambda ctx: str(ctx["error"]),
}


def build(shape: type[Shape], tree: object, pointer: str, faults: ViolationCollector) -> Shape | None:
    """The value that `tree` describes, or None after every violation has been noted in `faults`."""
    try:
        return shape.model_validate(tree)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        unknown = {_any_case(found) for found in errors if found["type"] == "extra_forbidden"}
        for found in errors:
            if found["type"] == "missing" and _any_case(found) in unknown:
                continue  # it is there in another case, and told under that name
            place = pointer
            for token in found["loc"]:
                place = join_pointer(place, token)
            faults.add(place, "" if faults.full else _sentence(found, shape))
        return None


def member(node: Json, name: str, *others: str) -> tuple[str, Json]:
    """How the caller spells the member `name` (camelCase, PascalCase or one of `others`) and what it holds,
    None if absent."""
    if isinstance(node, dict):
        for written in (name, pascal(name), *others):
            if written in node:
                return written, node[written]
    return name, None


def _any_case(found: ErrorDetails) -> tuple[int | str, ...]:
    *path, name = found["loc"]
    return (*path, str(name).lower())


def _sentence(found: ErrorDetails, shape: type[BaseModel]) -> str:
    if found["type"] == "extra_forbidden":
        return _unknown(str(found["loc"][-1]), _shape_at(shape, found["loc"][:-1]))
    say = _SENTENCES.get(found["type"])
    sentence = say(found.get("ctx", {})) if say else found["msg"]
    return said_of(found["input"], sentence) if found["type"] == "value_error" else sentence


def said_of(value: object, sentence: str) -> str:
    """What to say of a faulty text: that it has spaces around it, or `sentence` when that says more."""
    spaced = isinstance(value, str) and value.strip(_SPACES) not in ("", value)
    return "has spaces around it; write it without them" if spaced and "; " not in sentence else sentence


def without_empty(tree: Json, shape: type[BaseModel]) -> Json:
    """The tree without optional members that are the empty text: flows send it for an empty field."""
    if not isinstance(tree, dict):
        return tree
    fields, kept = _fields(shape), dict[str, Json]()
    for name, value in tree.items():
        field = fields.get(name)
        inner = _inner(field.annotation) if field else None
        if inner and isinstance(value, list):
            kept[name] = [without_empty(item, inner) for item in value]
        elif not (value == "" and field and not field.is_required()):
            kept[name] = without_empty(value, inner) if inner else value
    return kept


def _unknown(written: str, shape: type[BaseModel]) -> str:
    fields = _fields(shape)
    if written in fields:
        return "is given twice, in two spellings"
    if written.strip() in fields:
        return f"is not a known field: its name has spaces around it; write {written.strip()}"
    documented = {id(field): name for name, field in reversed(fields.items()) if name == camel(name)}
    meant = meant_name(written, list(documented.values()))
    return "is not a known field" + (f"; did you mean {meant}?" if meant else "")


def _fields(shape: type[BaseModel]) -> dict[str, FieldInfo]:
    """Every field under every spelling that is accepted for it; the documented one comes first."""
    fields = {}
    for field in shape.model_fields.values():
        assert isinstance(field.validation_alias, AliasChoices)
        fields.update({str(choice): field for choice in field.validation_alias.choices})
    return fields


def _shape_at(shape: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    for name in (token for token in path if isinstance(token, str)):
        field = _fields(shape).get(name)
        shape = (_inner(field.annotation) if field else None) or shape
    return shape


def _inner(annotation: object) -> type[BaseModel] | None:
    """The shape within `tuple[Shape, ...] | None` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((shape for part in get_args(annotation) if (shape := _inner(part))), None)
