"""ImagePropertiesFilter: the host can run the kind of machine the image was made for."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import HostFacts
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet, words
from kilonova.scheduler.plugin import Filter

# A property's name, and the one it had before: images still carry either.
_ARCH = ("hw_architecture", "architecture")
_TYPE = ("img_hv_type", "hypervisor_type")
_MODE = ("hw_vm_mode", "vm_mode")
_VERSION = ("img_hv_requested_version", "hypervisor_version_requires")

_ARCH_ALIASES = {
    "amd64": "x86_64",
    "i386": "i686",
    "i486": "i686",
    "i586": "i686",
    "x86_32": "i686",
    "arm64": "aarch64",
}
_MODE_ALIASES = {"hv": "hvm"}
_ALSO_RUNS = {"x86_64": ("i686",)}
# KVM is QEMU with an accelerator, so it runs QEMU's images too; a simulated host plays any of them.
_ALSO_IS = {"kvm": ("qemu",), "kilonova-sim": ("kvm", "qemu")}

_COMPARISON = re.compile(r"\s*(>=|<=|==|!=|=|>|<)?\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?\s*")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


class ImagePropertiesFilter(Filter):
    """Architecture, hypervisor type and version, and VM mode; a property the image does not have asks for nothing."""

    name: ClassVar = "ImagePropertiesFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        if not _wanted(request):
            return fleet.everyone
        return fleet.facts.where(lambda facts: not _unmet(facts, request))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return words(said for facts in fleet.facts.among(removed) for said in _unmet(facts, request))

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return " and ".join(_unmet(fleet.facts.at(host), request))


def _wanted(request: SchedulingRequest) -> dict[tuple[str, str], str]:
    """What the image asks for, by property names."""
    properties = request.image_properties
    found = {names: properties.get(names[0]) or properties.get(names[1]) for names in (_ARCH, _TYPE, _MODE, _VERSION)}
    return {names: value for names, value in found.items() if value}


def _unmet(facts: HostFacts, request: SchedulingRequest) -> list[str]:
    """What a host does not meet, in words."""
    arch, kind = _canonical(facts.arch, _ARCH_ALIASES), facts.hypervisor_type.lower()
    offers = {
        _ARCH: (arch, *_ALSO_RUNS.get(arch, ())),
        _TYPE: (kind, *_ALSO_IS.get(kind, ())),
        _MODE: ("hvm",),
    }
    said = []
    for names, value in _wanted(request).items():
        if names is _VERSION:
            is_met, offer = _meets_version(facts.hypervisor_version, value), _dotted(facts.hypervisor_version)
        else:
            is_met, offer = _canonical(value, _ARCH_ALIASES | _MODE_ALIASES) in offers[names], ", ".join(offers[names])
        if not is_met:
            said.append(f"{names[0]} {value} (it has {offer})")
    return said


def _canonical(word: str, aliases: dict[str, str]) -> str:
    return aliases.get(word.lower(), word.lower())


def _meets_version(version: int, wanted: str) -> bool:
    """Whether a version in Nova's form meets comparisons such as `>=6.2,<8`; what cannot be read is met by none."""
    for part in wanted.split(","):
        read = _COMPARISON.fullmatch(part)
        if read is None:
            return False
        verb, *numbers = read.groups()
        major, minor, micro = (int(number or 0) for number in numbers)
        if not _COMPARE[verb or "=="](version, major * 1_000_000 + minor * 1000 + micro):
            return False
    return True


def _dotted(version: int) -> str:
    return f"{version // 1_000_000}.{version // 1000 % 1000}.{version % 1000}"
