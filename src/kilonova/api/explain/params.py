"""What is sent to ask where servers would go: in the words of POST /servers, where it has one."""

from __future__ import annotations

from typing import Annotated

from kilonova.api.compute.servers.params import Hints
from kilonova.api.framework import UNSET, Maybe, Meta, Params, wire
from kilonova.api.framework.types import HostName, Name, Uuid

MOST = 100


class Wanted(Params):
    """The server that is meant, and how many of it."""

    flavor_ref: Annotated[str, wire("flavorRef"), Meta(min_length=1, max_length=255)]
    image_ref: Annotated[Maybe[Uuid], wire("imageRef")] = UNSET
    availability_zone: Maybe[Name] = UNSET
    host: Maybe[HostName] = UNSET
    hypervisor_hostname: Maybe[HostName] = UNSET
    count: Annotated[int, Meta(ge=1, le=MOST)] = 1


class AskBody(Params):
    """The question: the server, and the hints."""

    placement: Wanted
    hints: Annotated[Maybe[Hints], wire("os:scheduler_hints")] = UNSET
