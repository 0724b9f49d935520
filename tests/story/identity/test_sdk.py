"""The official SDK as the judge: it logs in, finds its way and manages people over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import openstack
import pytest
import uvicorn
from openstack.connection import Connection
from openstack.exceptions import ForbiddenException, NotFoundException, SDKException

from kilonova.api.framework import Policy, Rim
from kilonova.api.identity import POLICIES, identity_service
from kilonova.identity.bootstrap import Credentials, ensure_first_start
from kilonova.identity.service import Identity
from tests.fakes.identity import SERVICES

START_S = 20

# The SDK calls what it has itself deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


@pytest.fixture
def url(started: tuple[Identity, Credentials]) -> Iterator[str]:
    identity = started[0]
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with identity.database.write() as tx:
        ensure_first_start(tx, identity, base, SERVICES)
    app = Rim([identity_service(identity)], authenticator=identity.authenticator, policy=Policy(POLICIES))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"{base}/identity"
    finally:
        server.should_exit = True
        thread.join(START_S)
        listening.close()
        assert not thread.is_alive()


def connect(url: str, name: str, password: str, **scope: str) -> Connection:
    where = scope or {"project_name": name, "project_domain_id": "default"}
    return openstack.connection.Connection(
        auth={"auth_url": url, "username": name, "password": password, "user_domain_id": "default", **where},
        region_name="RegionOne",
    )


def test_an_admin_manages_people(url: str, credentials: Credentials) -> None:
    with connect(url, "admin", credentials.admin_password) as cloud:
        project = cloud.identity.create_project(name="sdk", description="made by the SDK", tags=["x"])
        user = cloud.identity.create_user(name="ann", password="pw", default_project_id=project.id)
        role = cloud.identity.find_role("member", ignore_missing=False)
        cloud.identity.assign_project_role_to_user(project, user, role)
        assert cloud.identity.validate_user_has_project_role(project, user, role)
        assert [one.name for one in cloud.identity.user_projects(user)] == ["sdk"]
        assert cloud.identity.find_user("ann", ignore_missing=False).id == user.id
        with pytest.raises(NotFoundException):
            cloud.identity.find_project("nobody's", ignore_missing=False)
        assert {one.name for one in cloud.identity.projects()} == {"admin", "demo", "sdk"}
        with connect(url, "ann", "pw", project_name="sdk", project_domain_id="default") as hers:
            assert hers.current_project_id == project.id
            with pytest.raises(ForbiddenException):
                hers.identity.create_user(name="bob")
        cloud.identity.update_user(user, is_enabled=False)
        with (
            connect(url, "ann", "pw", project_name="sdk", project_domain_id="default") as hers,
            pytest.raises(SDKException, match="401"),
        ):
            hers.authorize()
        cloud.identity.delete_user(user)
        cloud.identity.delete_project(project)


def test_an_application_credential_logs_in(url: str, credentials: Credentials) -> None:
    with connect(url, "demo", credentials.demo_password) as cloud:
        me = cloud.current_user_id
        made = cloud.identity.create_application_credential(me, name="robot", roles=[{"name": "reader"}])
        assert [one.name for one in cloud.identity.application_credentials(me)] == ["robot"]
        robot = openstack.connection.Connection(
            auth_type="v3applicationcredential",
            auth={
                "auth_url": url,
                "application_credential_id": made.id,
                "application_credential_secret": made.secret,
            },
        )
        with robot:
            assert robot.current_project_id == cloud.current_project_id
            access = robot.session.auth.get_access(robot.session)
            assert access.role_names == ["reader"]
