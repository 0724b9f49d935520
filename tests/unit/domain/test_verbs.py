"""The table of verbs against the routes, the sagas, and what is written of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kilonova.api.compute.servers.actions import ROUTES
from kilonova.conductor.sagas import boot, delete
from kilonova.domain.status import STATUSES, TASKS
from kilonova.domain.verbs import BY_SAGA, VERBS, Verb

ROOT = Path(__file__).parents[3]


def test_each_verb_has_a_name_of_its_own() -> None:
    assert len({verb.name for verb in VERBS}) == len(VERBS)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.action], ids=lambda verb: verb.name)
def test_a_verb_with_an_action_has_a_route_with_its_policy(verb: Verb) -> None:
    routes = [route for route in ROUTES if route.action == verb.action and route.path == "/servers/{server_id}/action"]
    assert routes
    assert {route.policy for route in routes} == {verb.policy}


def test_an_action_of_the_api_is_a_verb() -> None:
    actions = {route.action for route in ROUTES if route.path == "/servers/{server_id}/action"}
    assert actions <= {verb.action for verb in VERBS}


def test_every_saga_about_servers_is_a_verb_and_its_tasks_are_of_its_steps() -> None:
    steps = {"boot": boot, "delete": delete}
    assert BY_SAGA.keys() == steps.keys()
    for kind, module in steps.items():
        names = {one.name for one in vars(module).values() if isinstance(one, type) and "name" in vars(one)}
        assert {step for (saga, step) in TASKS if saga == kind} - {None} <= names


def test_the_states_are_those_that_there_are() -> None:
    known = {vm_state for vm_state, _ in STATUSES}
    for verb in VERBS:
        assert (verb.vm_states or frozenset()) <= known
        assert verb.result is None or verb.result in known


def test_the_document_is_what_the_table_says() -> None:
    made = subprocess.run(
        [sys.executable, "scripts/write_verbs.py", "-"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs" / "verbs.md").read_text() == made.stdout, "run `make verbs`"
