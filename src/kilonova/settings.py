"""How one cloud is set up: what `kilonova up` was told, kept in its data directory so that it comes up again the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from kilonova.api.settings import ApiSettings
from kilonova.domain.addresses import ip_network
from kilonova.domain.host import HostDefaults
from kilonova.domain.reach import read_opening
from kilonova.domain.retention import Retention
from kilonova.logfile import Rotation
from kilonova.scheduler.settings import SchedulerSettings

DEFAULT_PORT = 8774
SETTINGS_FILE = "cloud.json"
DATABASE_FILE = "kilonova.db"
# What a cloud needs to come up again besides its records and its images' bits: files of the data directory that a backup takes
# along, where they are. clouds.yaml is not among them: `kilonova up` writes it anew.
KEY_FILE = "master.key"  # wraps the keys in the database: one without the other opens nothing
BACKED_UP = (SETTINGS_FILE, "credentials.json", "policy.yaml", KEY_FILE)


class CloudSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    One all-in-one cloud. `hypervisor` names a driver (`libvirt` or `sim`); the `sim_*` fields matter to the latter only.

    `durable` has SQLite sync every commit to the disk, so that a power cut loses nothing that was answered for.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    hypervisor: str = "libvirt"
    accelerator: str = "auto"  # auto, kvm or tcg
    image_backend: str = "qcow2"  # or raw
    network_cidr: str = "10.42.0.0/16"
    reserved_ranges: tuple[str, ...] = ()  # that no subnet may overlap
    open_to_guests: tuple[str, ...] = ()  # of what is closed to them: RANGE or RANGE:PORT, such as this cloud's own API
    closed_to_guests: tuple[str, ...] = ()  # ranges besides what is closed anyway
    sim_hosts: int = 1
    sim_pace: float = 1.0  # times life-like; 0: at once
    guest_dir: Path | None = None  # where the tiny guest is, whose kernel shows whether KVM works
    durable: bool = False
    database_reserve_mib: int = 64  # of its disk, kept for changes and deletions: less, and nothing more is made
    image_reserve_mib: int = 256  # that uploads leave of the images' disk, which is the database's here
    saga_workers: int = 4
    log: Rotation = Rotation()
    api: ApiSettings = ApiSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    host_defaults: HostDefaults = HostDefaults()  # for hosts that join from now on
    retention: Retention = Retention()  # how long the records of what is over are kept

    def __post_init__(self) -> None:
        """Ranges are ranges."""
        for text in (*self.reserved_ranges, *self.closed_to_guests):
            ip_network(text)
        for text in self.open_to_guests:
            read_opening(text)

    @property
    def base_url(self) -> str:
        """What every service's URL begins with."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def database_url(self) -> str:
        """The database in the data directory."""
        return f"sqlite:///{self.data_dir / DATABASE_FILE}"


def load(data_dir: Path) -> CloudSettings | None:
    """The settings of the cloud that lives in a data directory; None when none does. Raises msgspec.ValidationError."""
    path = data_dir / SETTINGS_FILE
    if not path.exists():
        return None
    return msgspec.json.decode(path.read_bytes(), type=CloudSettings, dec_hook=_decode_path)


def save(settings: CloudSettings, folder: Path | None = None) -> None:
    """Keep them in the data directory, or in another folder for the time being."""
    folder = folder or settings.data_dir
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    part = folder / f"{SETTINGS_FILE}.part"
    part.touch(mode=0o600)
    part.write_bytes(msgspec.json.format(msgspec.json.encode(settings, enc_hook=str), indent=2) + b"\n")
    part.replace(folder / SETTINGS_FILE)


def _decode_path(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(kind)
