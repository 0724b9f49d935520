"""
Hosts of a fleet, for those who run it and for the hosts themselves (`/kilonova/v1/hosts`): tokens, joining, removing, refusals;
and the bits of images that a host needs.

What OpenStack has a place for is there: os-services disables a host and forces it down, os-hypervisors tells what it holds.
"""

from __future__ import annotations

from kilonova.api.framework import COMPUTE, Service, bind
from kilonova.api.hosts.bits import ROUTES as BITS_ROUTES
from kilonova.api.hosts.bits import Bits, HostImages
from kilonova.api.hosts.hosts import POLICIES, Hosts
from kilonova.api.hosts.hosts import ROUTES as HOSTS_ROUTES
from kilonova.compute.host_access import HostAccess
from kilonova.identity.throttle import LoginThrottle
from kilonova.runtime import Runtime

__all__ = ["POLICIES", "hosts_service"]


def hosts_service(runtime: Runtime, access: HostAccess, bits: Bits) -> Service:
    """The service at `/kilonova/v1/hosts`."""
    throttle = LoginThrottle(runtime.clock)
    hosts = Hosts(runtime, access=access, throttle=throttle)
    images = HostImages(runtime, access=access, bits=bits, throttle=throttle)
    routes = (*bind(HOSTS_ROUTES, hosts), *bind(BITS_ROUTES, images))
    return Service("hosts", mount="/kilonova/v1/hosts", prefix="", style=COMPUTE, routes=routes)
