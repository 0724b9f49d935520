"""A commented sample of a fleet's file, made from the sections: it cannot say what is not so."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from kilonova.config.fleet import FleetConfig
from kilonova.config.secret import Secret

_WIDTH = 100
_HEAD = """
Kilonova: the settings of a fleet. Every process reads this one file, and of it its own sections alone.

A key that is commented out shows its default. The environment overrides the file: KILONOVA_API_PORT is `port` of [api].
A secret `url` may be given as `url_file`, the path of a file that holds it (or KILONOVA_DATABASE_URL_FILE).
"""


def sample() -> str:
    """The file's text."""
    lines = [*_comment(_HEAD)]
    for name, section in get_type_hints(FleetConfig).items():
        lines += ["", "", *_comment(section.__doc__ or ""), f"[{name}]"]
        hints = get_type_hints(section, include_extras=True)
        for field in msgspec.structs.fields(section):
            lines += ["", *_key(field, hints[field.name])]
    return "\n".join(lines) + "\n"


def description(hint: Any) -> str:
    """The text of a key, without its limits."""
    return next((meta.description for meta in _metas(hint) if meta.description), "")


def _key(field: msgspec.structs.FieldInfo, hint: Any) -> Iterator[str]:
    yield from _comment(" ".join(filter(None, [description(hint), _limits(hint)])))
    if field.required:
        examples = [example for meta in _metas(hint) for example in meta.examples or ()]
        yield f"{field.name} = {_toml(examples[0])}"
    else:
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        # TOML has no word for nothing: such a key is left out to mean it.
        yield f"#{field.name} = {_toml(default)}" if default is not None else f"# {field.name}: not set"
    if Secret in (hint, *get_args(hint)):
        yield f'#{field.name}_file = "/etc/kilonova/secret"'


def _limits(hint: Any) -> str:
    """What a value must keep to, in words."""
    metas = list(_metas(hint))
    least = [f"at least {meta.ge}" for meta in metas if meta.ge is not None]
    least += [f"more than {meta.gt}" for meta in metas if meta.gt is not None]
    most = [f"at most {meta.le}" for meta in metas if meta.le is not None]
    one_of = [", ".join(map(str, choices))] if (choices := _choices(hint)) else []
    words = [" and ".join([*least, *most])] if least or most else [f"one of {one}" for one in one_of]
    return f"({words[0]})" if words else ""


def _choices(hint: Any) -> tuple[Any, ...]:
    inner = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    return get_args(inner) if str(get_origin(inner)) == "typing.Literal" else ()


def _metas(hint: Any) -> Iterator[msgspec.Meta]:
    yield from (meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta))


def _comment(text: str) -> list[str]:
    paragraphs = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        lines += [*([""] if lines else []), *textwrap.wrap(paragraph, _WIDTH, break_long_words=False)]
    return [f"# {line}".rstrip() for line in lines]


def _toml(value: Any) -> str:
    """A value as TOML writes it; JSON's form is the same but for tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, Secret):
        return '""'  # a default that is a secret can only be none
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
