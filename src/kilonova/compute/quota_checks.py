"""What a boot request takes of its project's limits, and how many servers of a range still fit."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from kilonova.compute.request import BootRequest
from kilonova.domain.errors import OverQuota
from kilonova.domain.flavor import Flavor
from kilonova.store.database import Tx
from kilonova.store.queries import quotas


def per_server(flavor: Flavor) -> dict[str, int]:
    """What one server of a flavor counts as."""
    return {"instances": 1, "cores": flavor.vcpus, "ram": flavor.ram_mib}


def take_servers(tx: Tx, project_id: str, request: BootRequest, flavor: Flavor, allowed: Mapping[str, int]) -> int:
    """
    Count as many servers as fit, at least `min_count`, at most `max_count`. Returns how many.

    Raises OverQuota when the least number does not fit.
    """
    used = quotas.used(tx, project_id)
    amounts = per_server(flavor)
    room = [
        max(allowed[name] - used.get(name, 0), 0) // amount
        for name, amount in amounts.items()
        if amount and allowed[name] >= 0
    ]
    count = max(request.min_count, min([request.max_count, *room]))
    quotas.take(tx, project_id, {name: amount * count for name, amount in amounts.items()}, allowed)
    return count


def check_items(request: BootRequest, allowed: Mapping[str, int]) -> None:
    """See that metadata and injected files are within their limits. Raises OverQuota."""
    check_metadata(len(request.metadata), allowed)
    files = request.personality
    sizes = [len(base64.b64decode(content)) for content in files.values()]
    _check("injected_files", len(files), allowed)
    _check("injected_file_path_bytes", max((len(path.encode()) for path in files), default=0), allowed)
    _check("injected_file_content_bytes", max(sizes, default=0), allowed)


def check_metadata(count: int, allowed: Mapping[str, int]) -> None:
    """See that a server may have this many metadata items. Raises OverQuota."""
    _check("metadata_items", count, allowed)


def _check(resource: str, wanted: int, allowed: Mapping[str, int]) -> None:
    limit = allowed[resource]
    if 0 <= limit < wanted:
        raise OverQuota(resource, requested=wanted, used=0, limit=limit)
