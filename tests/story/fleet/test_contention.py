"""Boots and deletes of one project on a few hosts, all at once: they want the same rows, and none stands in another's way."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, text

from tests import fleet
from tests.fleet import Client, Fleet
from tests.waiting import wait_until

USERS, ROUNDS = 10, 12
_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def deadlocks(running: Fleet) -> int:
    engine = create_engine(running.database_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            return int(connection.execute(_DEADLOCKS).scalar_one())
    finally:
        engine.dispose()


def boot_and_delete(client: Client, image: str, user: int) -> Counter[int]:
    """Boot servers, and delete each as the one after the next is asked for; what the answers were."""
    heard: Counter[int] = Counter()
    mine: list[str] = []
    for number in range(ROUNDS):
        answer = client.boot(f"crowd{user}-{number}", image)
        heard[answer.status_code] += 1
        if answer.status_code == 202:
            mine.append(answer.json()["server"]["id"])
        if len(mine) > 1:
            heard[client.ask("DELETE", f"/servers/{mine.pop(0)}").status_code] += 1
    return heard


def test_a_crowd_is_served_without_a_deadlock(running: Fleet, image: str) -> None:
    before = deadlocks(running)
    password = fleet.password_in(running.folder)
    users = [Client(running.nodes[f"api-{user % 2 + 1}"].url, password) for user in range(USERS)]
    with ThreadPoolExecutor(USERS) as pool:
        asked = [pool.submit(boot_and_delete, client, image, user) for user, client in enumerate(users)]
        heard = sum((one.result(120) for one in asked), Counter[int]())
    for client in users:
        client.http.close()
    assert heard == {202: USERS * ROUNDS, 204: USERS * (ROUNDS - 1)}
    admin = running.client()

    def left() -> set[str]:
        return {status for name, status in admin.statuses().items() if name.startswith("crowd")}

    wait_until(lambda: left() == {"ACTIVE"}, "the last of each is active, the others gone", 90)
    assert deadlocks(running) == before
    assert not any("ended in favour of another" in node.log.read_text() for node in running.nodes.values())
    assert wait_until(lambda: admin.orphans() == {}, "nothing is left over", 30)
