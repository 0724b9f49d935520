"""`kilonova doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import click

from kilonova.cli.doctor.finding import FAIL, PASS, WARN, Finding
from kilonova.cli.doctor.hypervisor import check_hypervisor
from kilonova.cli.doctor.kernel import check_kernel
from kilonova.cli.doctor.machine import check_machine
from kilonova.cli.errors import FAILED
from kilonova.cli.output import rows_text
from kilonova.cli.places import DATA_DIR_OPTION, chosen_data_dir, guest_dir
from kilonova.cli.talk import put, put_lines, say
from kilonova.cli.up import load
from kilonova.settings import CloudSettings

_COLOURS = {PASS: "green", WARN: "yellow", FAIL: "red"}


@click.command()
@DATA_DIR_OPTION
@click.option("--json", "as_json", is_flag=True, help="A list of {id, status, what, why, remedy}.")
def doctor(data_dir: Path | None, as_json: bool) -> None:  # noqa: FBT001 - an option of click's
    """What this machine has and lacks for a cloud, with remedies. Exit code 1 only if it can run none at all."""
    folder = chosen_data_dir(data_dir)
    settings = load(folder) or CloudSettings(data_dir=folder)
    findings: list[Finding] = []
    for finding in examine(settings):
        findings.append(finding)
        if not as_json:
            tell(finding)
    if as_json:
        put_lines(rows_text([shown(finding) for finding in findings], "json", columns=()))
    say(verdict(findings))
    if any(one.status == FAIL and one.for_all for one in findings):
        raise SystemExit(FAILED)


def examine(settings: CloudSettings) -> Iterator[Finding]:
    """Every check, each when it is asked for: some take seconds."""
    yield from check_machine(settings)
    yield from check_kernel()
    yield from check_hypervisor(settings.guest_dir or guest_dir())


def verdict(findings: Iterable[Finding]) -> str:
    """What this machine can run."""
    found = {one.id: one for one in findings}
    if any(one.status == FAIL and one.for_all for one in found.values()):
        return "This machine can run no cloud before that is mended."
    if any(one.status == FAIL for one in found.values()):
        return "This machine can run simulated hosts: kilonova up --sim"
    how = "under KVM" if found["kvm"].status == PASS else "emulated"
    return f"This machine can run real servers, {how}: kilonova up"


def tell(finding: Finding) -> None:
    """A finding for people."""
    put_lines(finding.status.upper(), nl=False, fg=_COLOURS[finding.status], bold=True)
    put(f"  {finding.what}{f' ({finding.why})' if finding.why else ''}")
    if finding.remedy and finding.status != PASS:
        put(f"      Next: {finding.remedy}")


def shown(finding: Finding) -> dict[str, str]:
    """A finding for programs."""
    return {key: value for key, value in asdict(finding).items() if key != "for_all"}
