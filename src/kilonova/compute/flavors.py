"""Make, describe and delete flavors; their extra specs and who may use the private ones."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kilonova.compute.supported import Supported
from kilonova.domain.errors import Conflict, Missing
from kilonova.domain.flavor import Flavor
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import flavors


class NewFlavor(msgspec.Struct, frozen=True, kw_only=True):
    """A flavor to be; without an id it gets a UUID. RAM and swap in MiB, disks in GiB."""

    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    id: str | None = None
    ephemeral_gib: int = 0
    swap_mib: int = 0
    rxtx_factor: float = 1.0
    is_public: bool = True
    description: str | None = None


class Flavors:
    """Makes, changes and deletes flavors. Only administrators get here, so no project's scope applies."""

    def __init__(self, runtime: Runtime, *, supported: Supported) -> None:
        self._database, self._clock, self._ids, self._supported = runtime.db, runtime.clock, runtime.ids, supported

    def create(self, new: NewFlavor) -> Flavor:
        """Make a flavor. Raises Conflict when its id or name is taken."""
        flavor = Flavor(
            **msgspec.structs.asdict(msgspec.structs.replace(new, id=new.id or self._ids.uuid())), disabled=False,
            extra_specs={}, created_at=self._clock.now(), updated_at=None,
        )  # fmt: skip
        with self._database.write() as tx:
            taken = flavors.is_taken(tx, flavor_id=flavor.id, name=flavor.name)
            if taken is not None:
                raise Conflict(f"Flavor with {taken} {flavor.id if taken == 'ID' else flavor.name} already exists.")
            flavors.add(tx, flavor)
        return flavor

    def describe(self, flavor_id: str, description: str | None) -> Flavor:
        """Change the description. Raises Missing."""
        with self._database.write() as tx:
            _any(tx, flavor_id)
            flavors.describe(tx, flavor_id, description, self._clock.now())
            return _any(tx, flavor_id)

    def delete(self, flavor_id: str) -> None:
        """Delete it. Raises Missing."""
        with self._database.write() as tx:
            flavors.remove(tx, flavor_id)

    def set_specs(self, flavor_id: str, specs: Mapping[str, str]) -> None:
        """Add extra specs, or replace those of the same names. Raises Missing, or Rejected for what nobody here does."""
        self._supported.check_specs(specs)
        with self._database.write() as tx:
            flavor = _any(tx, flavor_id)
            flavors.set_specs(tx, flavor_id, {**flavor.extra_specs, **specs}, self._clock.now())

    def drop_spec(self, flavor_id: str, name: str) -> None:
        """Take an extra spec away. Raises Missing."""
        with self._database.write() as tx:
            specs = dict(_any(tx, flavor_id).extra_specs)
            if specs.pop(name, None) is None:
                raise Missing(f"Extra spec {name[:255]} of flavor", flavor_id)
            flavors.set_specs(tx, flavor_id, specs, self._clock.now())

    def grant(self, flavor_id: str, project_id: str) -> list[str]:
        """Let a project use it. Returns who may. Raises Missing, or Conflict when it may already."""
        with self._database.write() as tx:
            _any(tx, flavor_id)
            allowed = flavors.access(tx, flavor_id)
            if project_id in allowed:
                raise Conflict(
                    f"Flavor access already exists for flavor {flavor_id} and project {project_id} combination."
                )
            flavors.grant(tx, flavor_id, project_id)
            return flavors.access(tx, flavor_id)

    def revoke(self, flavor_id: str, project_id: str) -> list[str]:
        """Take it from a project. Returns who still may. Raises Missing."""
        with self._database.write() as tx:
            _any(tx, flavor_id)
            if not flavors.revoke(tx, flavor_id, project_id):
                raise Missing(f"Flavor access for {flavor_id} of project", project_id)
            return flavors.access(tx, flavor_id)


def _any(tx: Tx, flavor_id: str) -> Flavor:
    return flavors.get(tx, flavor_id, project_id=None, every=True)
