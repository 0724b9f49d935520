"""The rules of the house that no linter knows: sizes, what the tree may not name, and a reason for each dependency."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.facts import REPOSITORY

MODULE_LINES = 300
MODULE_LINES_WITH_REASON = 500
FUNCTION_LINES = 40
REASON = re.compile(r"# long: \S+")

# Split, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w~.)}-])/(?:" + "|".join(["work" + "/", "root" + "/", "tmp" + "/kn"]) + ")")
REGISTRY_HOST = re.compile(
    "|".join(["py" + r"pi\.org", "python" + "hosted", "registry" + r"\.npmjs", "deb" + r"\.debian"])
)
# msgspec writes what it knows of a struct on the struct, when it first decodes one. Two threads at that at once end the process,
# so the rooms where many threads work have their decoders made before: at import, or where no other thread is yet.
ROOMS_OF_THREADS = ("agent", "api", "compute", "conductor", "identity", "image", "network", "rpc", "scheduler", "store")
MAKES_ITS_DECODER = re.compile(r"\bmsgspec\.(?:convert\(|\w+\.decode\(.*\btype=)")
MADE_READY = {
    "src/kilonova/agent/credential.py",  # read once, as the process starts
    "src/kilonova/agent/hypervisor/libvirt/accelerator.py",  # read once, as the driver is made
    "src/kilonova/api/framework/compile_in.py",  # converts to what its decoders, made one at a time, know already
    "src/kilonova/api/framework/serve.py",  # a plain dict: nothing is kept of it
}
# A difference of two looks at a clock, or what a name says is one.
TOOK = re.compile(r"(monotonic|perf_counter|time\.time)(_ns)?\(\) -|\b(took|took_s|elapsed|elapsed_s)\b.* < ")
# A guest has an account of root's own, with a home.
IN_A_GUEST = re.compile("/root" + r"/\.ssh\b")


def tree_files() -> list[Path]:
    """What is committed or would be: a build's products are not ours to judge."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := REPOSITORY / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in tree_files() if path.suffix == ".py"]


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def module_faults(text: str) -> str | None:
    """Why a module is too long, or None."""
    lines = text.splitlines()
    if len(lines) < MODULE_LINES:
        return None
    if not REASON.match(lines[0]):
        return f"{len(lines)} lines, the limit is {MODULE_LINES}: split it, or begin it with `# long: the reason`"
    if len(lines) >= MODULE_LINES_WITH_REASON:
        return f"{len(lines)} lines, and no reason allows more than {MODULE_LINES_WITH_REASON}"
    return None


def long_functions(text: str) -> Iterator[str]:
    """Functions over the limit, counted from `def` to the last line, without the docstring."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None:
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            if lines >= FUNCTION_LINES:
                yield f"{node.name} (line {node.lineno}) has {lines} lines, the limit is {FUNCTION_LINES}"


def forbidden_words(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if REGISTRY_HOST.search(line) or MACHINE_PATH.search(IN_A_GUEST.sub("", line)):
            yield f"line {number}: {line.strip()[:100]}"


def late_decoders(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        if MAKES_ITS_DECODER.search(line):
            yield f"line {number}: {line.strip()[:100]}"


def timing_asserts(text: str) -> Iterator[str]:
    """Asserts on how long something took, which is the machine's business; `tests/waiting.py` has bounds for what would hang."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assert) and TOOK.search(ast.unparse(node.test)):
            yield f"line {node.lineno}: assert {ast.unparse(node.test)[:100]}"


def requirement_name(requirement: str) -> str:
    """`psycopg[binary]>=3` is psycopg, however it is spelt."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]).lower()


def declared_dependencies() -> set[str]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    requirements = [
        *project["project"]["dependencies"],
        *(one for extra in project["project"]["optional-dependencies"].values() for one in extra),
        *(one for group in project["dependency-groups"].values() for one in group),
    ]
    return {requirement_name(one) for one in requirements}


def explained_dependencies() -> set[str]:
    page = (REPOSITORY / "docs" / "dependencies.md").read_text()
    return {requirement_name(one) for one in re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)}


def test_modules_are_short() -> None:
    faults = {name(path): fault for path in python_files() if (fault := module_faults(path.read_text()))}
    assert faults == {}


def test_functions_are_short() -> None:
    # A step of the schema's history is written from the tables and never changed: a list, not a function to be read.
    read = [path for path in python_files() if path.parent.name != "versions"]
    faults = {name(path): found for path in read if (found := list(long_functions(path.read_text())))}
    assert faults == {}


def test_the_tree_names_no_machine_and_no_registry() -> None:
    faults = {}
    for path in tree_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not text: an image or an archive
        if found := list(forbidden_words(text)):
            faults[name(path)] = found
    assert faults == {}


def test_decoders_are_made_before_threads_use_them() -> None:
    rooms = [path for room in ROOMS_OF_THREADS for path in (REPOSITORY / "src" / "kilonova" / room).rglob("*.py")]
    faults = {name(path): found for path in rooms if (found := list(late_decoders(path.read_text())))}
    assert faults.keys() - MADE_READY == set()


def test_no_test_measures_time() -> None:
    tests = [path for path in (REPOSITORY / "tests").rglob("*.py") if path.name.startswith("test_")]
    faults = {name(path): found for path in tests if (found := list(timing_asserts(path.read_text())))}
    assert faults == {}


def test_every_dependency_is_explained_and_every_explanation_is_of_a_dependency() -> None:
    assert explained_dependencies() == declared_dependencies()


@pytest.mark.parametrize("lock", ["base.txt", "libvirt.txt", "dev.txt"])
def test_a_lock_pins_and_hashes_everything_it_lists(lock: str) -> None:
    text = (REPOSITORY / "requirements" / lock).read_text()
    requirements = [
        line for line in text.replace("\\\n", " ").splitlines() if line and not line.lstrip().startswith("#")
    ]
    assert requirements
    assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == []
    assert [line for line in requirements if "://" in line or line.startswith("-")] == []


@pytest.mark.parametrize(
    ("first_line", "lines", "is_a_fault"),
    [
        ('"""Short."""', 299, False),
        ('"""Long."""', 300, True),
        ("# long: one table, read as one", 300, False),
        ("# long:", 300, True),
        ("# long: one table, read as one", 500, True),
    ],
)
def test_the_module_rule_can_fail(first_line: str, lines: int, is_a_fault: bool) -> None:
    assert bool(module_faults("\n".join([first_line] + ["x = 1"] * (lines - 1)))) is is_a_fault


def test_the_function_rule_counts_code_and_not_the_docstring() -> None:
    body = "\n".join(["    x = 1"] * 38)
    docstring = '    """\n' + "    words\n" * 20 + '    """\n'
    assert list(long_functions(f"def f():\n{docstring}{body}\n")) == []
    assert len(list(long_functions(f"def f():\n{docstring}{body}\n    x = 2\n"))) == 1


@pytest.mark.parametrize(
    ("line", "is_a_fault"),
    [
        ("cd " + "/work" + "/main", True),
        ("cat " + "/root" + "/.profile", True),
        ("authorized = /root" + "/.ssh/authorized_keys", False),
        ("tests/" + "work" + "/main", False),
        ("see https://files." + "python" + "hosted" + ".example", True),
    ],
)
def test_the_word_rule_can_fail(line: str, is_a_fault: bool) -> None:
    assert bool(list(forbidden_words(line))) is is_a_fault


@pytest.mark.parametrize(
    ("line", "is_a_fault"),
    [
        ("claims = msgspec.msgpack.decode(content, type=Claims)", True),
        ("new = msgspec.convert(sent, NewImage)", True),
        ("claims = _CLAIMS.decode(content)", False),
        ("words = msgspec.json.decode(text)", False),
    ],
)
def test_the_decoder_rule_can_fail(line: str, is_a_fault: bool) -> None:
    assert bool(list(late_decoders(line))) is is_a_fault


@pytest.mark.parametrize(
    ("line", "is_a_fault"),
    [
        ("assert time.monotonic() - began < 3", True),
        ("assert took_s(made) < 10", True),
        ("assert elapsed < BOUND and done", True),
        ("assert time.monotonic() < end, 'not in time'", False),
        ("assert answer.took is None", False),
    ],
)
def test_the_time_rule_can_fail(line: str, is_a_fault: bool) -> None:
    assert bool(list(timing_asserts(line))) is is_a_fault
