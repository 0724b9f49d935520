"""
The facts about OpenStack's API that the tests hold Kilonova to: routes, fields, policies, samples.

They are data beside the repository (`../shared/api`), or wherever KILONOVA_API_FACTS points. The product never reads them.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

Fact = dict[str, Any]

REPOSITORY = Path(__file__).resolve().parent.parent
VARIABLE = "KILONOVA_API_FACTS"


class FactsMissing(Exception):
    """The folder of facts, or one of its files, is not there."""


def folder() -> Path:
    """Where the facts are; raises FactsMissing, which names the variable to set."""
    named = os.environ.get(VARIABLE)
    path = Path(named) if named else REPOSITORY.parent / "shared" / "api"
    if not (path / "routes.json").is_file():
        raise FactsMissing(f"No API facts in {path}: set {VARIABLE} to the folder that holds routes.json and samples/.")
    return path


def routes() -> list[Fact]:
    """Every Compute route: method, path, action, microversion range, statuses, policy_name, lifecycle."""
    return _load("routes.json")


def fields() -> list[Fact]:
    """Per Compute route: request_body, query and response_body fields, each with the microversion ranges it exists in."""
    return _load("fields.json")


def exchanges() -> list[Fact]:
    """Recorded requests and answers: route, microversion, request_sample, response_sample, status, response_headers."""
    return _load("exchanges.json")["exchanges"]


def policies() -> list[Fact]:
    """Compute policies: policy, default_role, check, operations."""
    return _load("policies.json")


def microversions() -> list[Fact]:
    """Compute microversions, oldest first: microversion, fact, routes, schema_changes."""
    return _load("microversions.json")


def extra_specs() -> list[Fact]:
    """Flavor extra specs: name, value (its type and limits), name_parameters, deprecated."""
    return _load("extra-specs.json")["specs"]


def sample_index(service: str = "compute") -> list[Fact]:
    """What samples a service has: file, resource, microversion, kind (req, resp), route, valid_json."""
    return _load(f"{_samples(service)}/INDEX.json")["files"]


def documented_routes(service: str) -> list[str]:
    """The routes that a neighbour's reference lists, as `GET /v3/users`; compute's are in `routes()`."""
    return _load(f"{_samples(service)}/INDEX.json")["documented_routes"]


def sample(service: str, path: str) -> Any:
    """One sample body, decoded; `path` is an index entry's `file`."""
    return _load(f"{_samples(service)}/{path}")


def _samples(service: str) -> str:
    return "samples" if service == "compute" else f"samples-{service}"


def _load(name: str) -> Any:
    path = folder() / name
    if not path.is_file():
        raise FactsMissing(f"{path} is missing; {VARIABLE} may point at an older folder of facts.")
    return json.loads(_text(path))


@cache
def _text(path: Path) -> str:
    """Kept as text, decoded at each call: a test may change what it was given."""
    return path.read_text()
