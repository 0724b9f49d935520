"""
Databases for tests: SQLite in a file, and a PostgreSQL cluster that lives for one test session.

The cluster is our own: made by initdb in a fresh folder, reachable by a unix socket in that folder alone, never a system's.
Each test gets a database copied from a template that has all tables.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import create_engine, text

from kilonova.store.database import Database
from kilonova.store.tables import metadata

ACCOUNT = "postgres"
# The cluster is thrown away: it need not outlive the machine, and few tests need it to outlive itself.
FAST = "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c shared_buffers=16MB"


def must_not_be_ci(engine: str) -> None:
    """Where tests are run to be believed, an engine that is missing fails them: a lane that was skipped is not green."""
    assert not os.environ.get("CI"), f"{engine} is not installed, and CI must not do without: make system-packages"


def postgres_programs() -> Path | None:
    """The folder that holds initdb and pg_ctl, the newest release's; None when PostgreSQL is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda path: float(path.parent.name), default=None)


class Cluster:
    """A running PostgreSQL of our own."""

    def __init__(self, programs: Path, folder: Path, *, keeps_commits: bool = False) -> None:
        self._programs, self._folder = programs, folder
        commits = "on" if keeps_commits else "off"
        self._options = f"{FAST} -c synchronous_commit={commits} -c max_connections=400 -k {folder}"
        self._numbers = itertools.count(1)
        self._run("initdb", "--auth=trust", f"--username={ACCOUNT}", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        self.come_back()
        self._control = create_engine(self._engine_url("postgres"), isolation_level="AUTOCOMMIT")
        self._execute("CREATE DATABASE template_kilonova")
        template = create_engine(self._engine_url("template_kilonova"))
        metadata.create_all(template)
        template.dispose()

    def _run(self, program: str, *arguments: str, data: str = "data") -> None:
        """PostgreSQL refuses to run as root, so root's tests run it as Debian's own account for it."""
        user = ACCOUNT if os.geteuid() == 0 else None
        command = [str(self._programs / program), "-D", str(self._folder / data), *arguments]
        subprocess.run(
            command, check=True, user=user, group=user, extra_groups=[] if user else None, cwd=self._folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip

    def _execute(self, statement: str) -> None:
        with self._control.connect() as connection:
            connection.execute(text(statement))

    def _engine_url(self, name: str) -> str:
        return f"postgresql+psycopg://{ACCOUNT}@/{name}?host={self._folder}"

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a fresh database with all tables; it is dropped afterwards."""
        with self._database("TEMPLATE template_kilonova") as url:
            yield url

    @contextlib.contextmanager
    def empty_database(self) -> Iterator[str]:
        """The URL of a fresh database with nothing in it; it is dropped afterwards."""
        with self._database() as url:
            yield url

    @contextlib.contextmanager
    def english_database(self) -> Iterator[str]:
        """The URL of a fresh database with all tables that sorts and folds as people who speak English do."""
        with self._database("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'") as url:
            engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
            metadata.create_all(engine)
            engine.dispose()
            yield url

    @contextlib.contextmanager
    def _database(self, made_how: str = "") -> Iterator[str]:
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} {made_how}")
        try:
            yield f"postgresql://{ACCOUNT}@/{name}?host={self._folder}"
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def create(self, name: str) -> str:
        """The URL of a new database without tables, which lasts as long as the cluster."""
        self._execute(f"CREATE DATABASE {name}")
        return f"postgresql://{ACCOUNT}@/{name}?host={self._folder}"

    def renew(self, url: str) -> None:
        """Throw a database away and make it anew, empty."""
        name = url.partition("?")[0].rpartition("/")[2]
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")
        self._execute(f"CREATE DATABASE {name}")

    def go_away(self) -> None:
        """Be killed, as by a power cut: connections break off, and there is nobody to connect to."""
        self._control.dispose()
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def come_back(self) -> None:
        """Be there again, with all that was committed."""
        self._run("pg_ctl", "start", "--wait", f"--log={self._folder / 'log'}", "-o", self._options)

    @contextlib.contextmanager
    def standby(self) -> Iterator[Standby]:
        """A second server that follows this one, until the end of the block."""
        made = Standby(self._folder, self._run)
        made.start(self._options)
        try:
            yield made
        finally:
            made.stop()

    def stop(self) -> None:
        """End it at once."""
        self.go_away()


class Standby:
    """A server on the next port of the same folder, with all that the first one commits."""

    def __init__(self, folder: Path, run: Callable[..., None]) -> None:
        self._folder, self._run = folder, run

    def start(self, options: str) -> None:
        """Copy the first, and follow it."""
        where = ("--host", str(self._folder), "--username", ACCOUNT)
        self._run("pg_basebackup", *where, "--write-recovery-conf", "--checkpoint=fast", "--no-sync", data="standby")
        log = f"--log={self._folder / 'standby.log'}"
        self._run("pg_ctl", "start", "--wait", log, "-o", f"{options} -c port=5433", data="standby")

    def promote(self) -> None:
        """Be the one that can be written to."""
        self._run("pg_ctl", "promote", "--wait", data="standby")

    def stop(self) -> None:
        """End it at once."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate", data="standby")

    def both(self, url: str) -> str:
        """The URL of a database on whichever of the two can be written to."""
        return url.replace(f"host={self._folder}", f"host={self._folder},{self._folder}&port=5432,5433") + (
            "&target_session_attrs=read-write"
        )


@contextlib.contextmanager
def cluster(*, keeps_commits: bool = False) -> Iterator[Cluster | None]:
    """A cluster for a session, or None where PostgreSQL is not installed. `keeps_commits`: through `go_away`."""
    programs = postgres_programs()
    if programs is None:
        must_not_be_ci("PostgreSQL")
        yield None
        return
    # Not in pytest's own folder: only its owner may enter that, and the cluster's account is another.
    folder = Path(tempfile.mkdtemp(prefix="kn-pg-"))
    try:
        if os.geteuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            os.chown(folder, account.pw_uid, account.pw_gid)
        made = Cluster(programs, folder, keeps_commits=keeps_commits)
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    """A SQLite database with all tables in `folder`."""
    database = Database(f"sqlite:///{folder / 'kilonova.db'}")
    try:
        metadata.create_all(database.engine)
        yield database
    finally:
        database.close()
