"""
Boots that are under way carry what their images are, which was looked up later before.

Each image is found as the boot's project sees it now. One that it does not see is not carried, and the boot fails and says so.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_sagas = sa.table(
    "sagas", sa.column("id"), sa.column("kind"), sa.column("status"), sa.column("project_id"), sa.column("params")
)
_images = sa.table(
    "images", sa.column("id"), sa.column("owner"), sa.column("visibility"), sa.column("status"), sa.column("disk_format"),
    sa.column("size"), sa.column("sha512"), sa.column("virtual_size"), sa.column("properties"),
)  # fmt: skip
_members = sa.table("image_members", sa.column("image_id"), sa.column("member"))


def upgrade() -> None:
    for saga, params in _under_way():
        for device in params["block_devices"]:
            found = _image(saga.project_id, device.get("image_id"))
            device["image"] = found and _ref(found)
            if found is not None and device.get("boot_index") == 0:
                _add_parts(saga.project_id, json.loads(found.properties), params)
        _write(saga.id, params)


def downgrade() -> None:
    for saga, params in _under_way():
        for device in params["block_devices"]:
            device["image_id"] = (device.get("image") or {}).get("id")
        _write(saga.id, params)


def _under_way() -> list[tuple[Any, dict[str, Any]]]:
    live = sa.select(_sagas).where(_sagas.c.kind == "boot", _sagas.c.status.in_(("queued", "ready", "parked")))
    return [(row, json.loads(row.params)) for row in op.get_bind().execute(live)]


def _write(saga_id: str, params: dict[str, Any]) -> None:
    op.get_bind().execute(sa.update(_sagas).where(_sagas.c.id == saga_id).values(params=json.dumps(params)))


def _add_parts(project_id: str, properties: dict[str, str], params: dict[str, Any]) -> None:
    for part in ("kernel", "ramdisk"):
        found = _image(project_id, properties.get(f"{part}_id"))
        params[part] = found and _ref(found)
        if found is None and properties.get(f"{part}_id"):  # it would boot without: better that it fails
            params["block_devices"][0]["image"] = None
    params["kernel_args"] = properties.get("os_command_line")


def _image(project_id: str, image_id: str | None) -> Any:
    shared = sa.exists().where(_members.c.image_id == _images.c.id, _members.c.member == project_id)
    seen = _images.c.visibility.in_(("public", "community")) | (_images.c.owner == project_id)
    seen = seen | ((_images.c.visibility == "shared") & shared)
    query = sa.select(_images).where(_images.c.id == image_id, _images.c.status == "active", seen)
    return op.get_bind().execute(query).first() if image_id else None


def _ref(image: Any) -> dict[str, Any]:
    return {
        "id": image.id, "disk_format": image.disk_format or "raw", "size": image.size or 0, "sha512": image.sha512,
        "virtual_size": image.virtual_size,
    }  # fmt: skip
