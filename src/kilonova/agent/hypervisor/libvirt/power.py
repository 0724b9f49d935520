"""Bringing a machine to a power state. Each target is a level: a machine that is there already is left alone."""

from __future__ import annotations

import threading

import libvirt

from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.domains import power_state
from kilonova.agent.hypervisor.libvirt.parts import Parts, hypervisor_failure
from kilonova.domain.report import HostFault, Outcome
from kilonova.domain.server import PowerState
from kilonova.rpc.commands import SetPower

_LOOK_EVERY_S = 0.25
_ASK_AGAIN_S = 10.0  # a guest that is still booting misses the first press of the button


def set_power(parts: Parts, command: SetPower) -> Outcome:
    """Carry the command out. Raises HostFailure."""
    domain = parts.domains.find(command.server_id)
    if domain is None:
        raise HostFailure(HostFault(message="The machine is not on this host.", code=404, elsewhere=False))
    try:
        _bring(parts, domain, command)
    except libvirt.libvirtError as error:
        raise hypervisor_failure(f"bring the machine to {command.target.name}", error) from error
    parts.records.raise_done(command)
    return Outcome(power_state=power_state(domain))


def _bring(parts: Parts, domain: libvirt.virDomain, command: SetPower) -> None:
    match command.target:
        case PowerState.RUNNING:
            _start(domain)
        case PowerState.SHUTDOWN:
            _stop(parts, domain, command)
        case PowerState.PAUSED:
            if power_state(domain) is not PowerState.PAUSED:
                domain.suspend()
        case PowerState.SUSPENDED:
            if power_state(domain) is not PowerState.SUSPENDED:
                domain.managedSave(0)
        case _:
            message = f"A machine cannot be brought to {command.target.name}."
            raise HostFailure(HostFault(message=message, code=400, elsewhere=False))


def _start(domain: libvirt.virDomain) -> None:
    """Off or saved: start (a saved one goes on where it was). Paused: resume."""
    state = power_state(domain)
    if state is PowerState.PAUSED:
        domain.resume()
    elif state is PowerState.CRASHED:
        domain.destroy()
        domain.create()
    elif not domain.isActive():
        domain.create()


def _stop(parts: Parts, domain: libvirt.virDomain, command: SetPower) -> None:
    """Ask the guest, then pull the plug. A paused guest cannot answer, so it is not asked."""
    if domain.hasManagedSaveImage():
        domain.managedSaveRemove()
    if not domain.isActive():
        return
    asked = not command.hard and power_state(domain) is PowerState.RUNNING
    if not (asked and _shut_down(parts, domain, command.timeout_s)) and domain.isActive():
        domain.destroy()


def _shut_down(parts: Parts, domain: libvirt.virDomain, timeout_s: float) -> bool:
    """Press the power button until the guest is off; False when `timeout_s` has passed."""
    start = parts.clock.monotonic()
    next_ask = start
    pause = threading.Event()
    while (now := parts.clock.monotonic()) - start < timeout_s:
        if not domain.isActive():
            return True
        if now >= next_ask:
            domain.shutdown()
            next_ask = now + _ASK_AGAIN_S
        pause.wait(_LOOK_EVERY_S)
    return not domain.isActive()
