"""The reader of the API facts: it finds them, and says what to do when they are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import facts


def test_the_facts_are_read() -> None:
    assert {"method", "path", "action", "policy_name"} <= facts.routes()[0].keys()
    assert {"request_body", "query", "response_body"} <= facts.fields()[0].keys()
    assert {"route", "status", "response_sample"} <= facts.exchanges()[0].keys()
    assert {"policy", "default_role"} <= facts.policies()[0].keys()
    assert [one["microversion"] for one in facts.microversions()][::103] == ["2.1", "2.104"]
    assert {"name", "value"} <= facts.extra_specs()[0].keys()
    assert "GET /v3/users" in facts.documented_routes("identity")


@pytest.mark.parametrize("service", ["compute", "identity", "image", "network", "placement", "volume"])
def test_every_valid_sample_of_the_index_can_be_read(service: str) -> None:
    files = [entry["file"] for entry in facts.sample_index(service) if entry["valid_json"]]
    assert files
    assert all(facts.sample(service, file) is not None for file in files)


def test_a_test_that_changes_its_facts_changes_nobody_elses() -> None:
    facts.routes().clear()
    assert facts.routes()


def test_missing_facts_name_the_variable_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(facts.VARIABLE, str(tmp_path))
    with pytest.raises(facts.FactsMissing, match="set KILONOVA_API_FACTS to the folder"):
        facts.routes()
