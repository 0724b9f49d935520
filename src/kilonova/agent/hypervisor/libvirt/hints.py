"""The image's hw_* properties and the flavor's extra specs, read as what they should be."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kilonova.agent.failure import HostFailure
from kilonova.domain.report import HostFault

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_MAX_DIGITS = 18
_FALSE = frozenset({"0", "f", "false", "off", "n", "no"})


class Hints:
    """
    Hints by name.

    One may come by two names: a flavor's `hw:watchdog_action` and an image's `hw_watchdog_action`. The flavor is the
    operator's and wins. A value that makes no sense is refused, and no other host would think better of it.
    """

    def __init__(self, image_properties: Mapping[str, str], extra_specs: Mapping[str, str]) -> None:
        self._image = image_properties
        self._flavor = extra_specs

    def text(self, image: str | None = None, flavor: str | None = None) -> str | None:
        """The hint's value, or None. XML cannot hold what is not printable."""
        if flavor is not None and flavor in self._flavor:
            value: str | None = self._flavor[flavor]
        else:
            value = self._image.get(image) if image is not None else None
        if value is not None and not value.isprintable():
            raise _refusal(image, flavor, f"{value!r} has characters that cannot be printed")
        return value

    def choice(self, allowed: Collection[str], image: str | None = None, flavor: str | None = None) -> str | None:
        """One of `allowed`, or None."""
        value = self.text(image, flavor)
        if value is not None and value not in allowed:
            raise _refusal(image, flavor, f"{value!r} is not one of {', '.join(sorted(allowed))}")
        return value

    def flag(self, image: str | None = None, flavor: str | None = None, *, default: bool = False) -> bool:
        """Yes or no."""
        value = self.text(image, flavor)
        if value is None:
            return default
        if value.lower() not in _TRUE | _FALSE:
            raise _refusal(image, flavor, f"{value!r} is neither true nor false")
        return value.lower() in _TRUE

    def number(self, image: str | None = None, flavor: str | None = None) -> int | None:
        """A whole number above zero, or None."""
        value = self.text(image, flavor)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > _MAX_DIGITS or int(value) == 0:
            raise _refusal(image, flavor, f"{value[:64]!r} is not a whole number above zero, or too large a one")
        return int(value)

    def signed(self, flavor: str) -> int | None:
        """A whole number that may be negative, or None."""
        value = self._flavor.get(flavor)
        try:
            return None if value is None else int(value)
        except ValueError:
            raise _refusal(None, flavor, f"{value!r} is not a whole number") from None


def _refusal(image: str | None, flavor: str | None, why: str) -> HostFailure:
    names = " or ".join(name for name in (flavor, image) if name)
    return HostFailure(HostFault(message=f"{names}: {why}.", code=400, elsewhere=False))
