"""The code polices itself: layers, purity, sizes and words. An exception has its reason here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "detect": set(),
    "protocol": {"detect"},
    "broker": {"protocol", "detect"},
    "worker": {"protocol", "detect"},
    "swarmctl": {"protocol", "detect", "broker.voting"},
    "benchmarks": {"protocol", "detect", "broker", "worker", "swarmctl"},
}
"""A package may import itself and these. broker, worker and swarmctl meet on a socket."""

PURE = [
    "detect/advice.py",
    "detect/digits.py",
    "detect/doctor.py",
    "detect/facts.py",
    "detect/keys.py",
    "detect/model.py",
    "detect/placement",
    "detect/quants.py",
    "detect/record.py",
    "detect/redact.py",
    "detect/tables.py",
    "detect/visible.py",
    "protocol",
    "broker/admission.py",
    "broker/checks.py",
    "broker/clients.py",
    "broker/conduct.py",
    "broker/core.py",
    "broker/events.py",
    "broker/fleet.py",
    "broker/grades.py",
    "broker/job.py",
    "broker/jobs.py",
    "broker/kept.py",
    "broker/learning.py",
    "broker/line.py",
    "broker/pace.py",
    "broker/reliability.py",
    "broker/reports.py",
    "broker/restore.py",
    "broker/roster.py",
    "broker/seating.py",
    "broker/seeds.py",
    "broker/state.py",
    "broker/voters.py",
    "broker/voting",
    "broker/wal.py",
    "swarmctl/asjson.py",
    "swarmctl/exits.py",
    "swarmctl/follow.py",
    "swarmctl/render.py",
    "swarmctl/text.py",
    "worker/core.py",
    "worker/engine.py",
    "worker/speed.py",
    "worker/engines/batched/engine.py",
    "worker/engines/batched/parts.py",
    "worker/engines/batched/prefixes.py",
    "worker/engines/batched/tail.py",
    "worker/engines/batched/text.py",
    "worker/engines/scripted.py",
]
"""No clock, socket, process, file or global dice: what these do can be replayed from a seed."""

IMPURE_MODULES = {
    "asyncio", "ctypes", "io", "multiprocessing", "os", "pathlib", "secrets", "select", "shutil",
    "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "uuid",
    "zmq", "psutil", "numpy", "llama_cpp", "mlx", "zeroconf", "typer",
}  # fmt: skip

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
PARAMETERS_MAX = 8

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}

FORBIDDEN_WORDS = re.compile(r"\b(lane|consensus|registry|backend)s?\b", re.IGNORECASE)
"""Words that the glossary replaces. `task` and `instance` have other meanings in Python."""

UNITLESS = {
    "age", "delay", "duration", "interval", "latency", "rate", "speed", "timeout",
    "uptime",
}  # fmt: skip
UNITLESS_ALLOWED = {
    "swarmctl/jobs.py:timeout": "the option's text, with its unit: 60s, 2m",
    "swarmctl/submit.py:timeout": "the option's text, with its unit: 60s, 2m",
    "swarmctl/evaluate.py:timeout": "the option's text, with its unit: 60s, 2m",
    "benchmarks/abacus/muon.py:rate": "a learning rate has no unit",
}

NOT_IN_TESTS = re.compile(r"\btime\.sleep\(|pytest\.mark\.(skip|xfail)\b|assert True\b")

WORDS_ALLOWED = {
    "docs/GLOSSARY.md": "names the words that are not used",
    "tests/test_tidy.py": "this list",
}


def sources() -> list[Path]:
    return [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name(path): ast.parse(path.read_text()) for path in sources()}


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_point_one_way(trees: dict[str, ast.Module]) -> None:
    wrong = []
    for file, tree in trees.items():
        package = file.split("/")[0]
        for imported in imports(tree):
            top = imported.split(".")[0]
            if top not in MAY_IMPORT or top == package:
                continue
            allowed = MAY_IMPORT[package]
            if top not in allowed and not any(imported.startswith(f"{a}.") for a in allowed):
                wrong.append(f"{file} imports {imported}")
    assert wrong == [], wrong


def test_pure_code_is_pure(trees: dict[str, ast.Module]) -> None:
    wrong = []
    for file, tree in trees.items():
        if not any(file == pure or file.startswith(f"{pure}/") for pure in PURE):
            continue
        for imported in imports(tree):
            if imported.split(".")[0] in IMPURE_MODULES:
                wrong.append(f"{file} imports {imported}")
            if imported.startswith("random.") and imported != "random.Random":
                wrong.append(f"{file} imports {imported}")
        wrong += [f"{file} uses the global dice" for _ in global_dice(tree)]
    assert wrong == [], wrong


def global_dice(tree: ast.AST) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree):
        of_random = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if of_random and node.value.id == "random" and node.attr != "Random":
            yield node


def test_what_is_called_pure_exists() -> None:
    assert [pure for pure in PURE if not (ROOT / pure).exists()] == []


def test_files_are_short() -> None:
    long = {
        name(path): lines
        for path in sources()
        if (lines := path.read_text().count("\n")) > FILE_LINES_MAX
    }
    assert set(long) == set(LONG_FILES), long


def test_functions_are_short(trees: dict[str, ast.Module]) -> None:
    long = {}
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long[f"{file}:{node.name}"] = lines
    assert set(long) == set(LONG_FUNCTIONS), long


def test_functions_take_few_parameters(trees: dict[str, ast.Module]) -> None:
    many = [
        f"{file}:{node.name}"
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and len(node.args.posonlyargs + node.args.args) > PARAMETERS_MAX
    ]
    assert many == []


def test_quantities_name_their_unit(trees: dict[str, ast.Module]) -> None:
    """`timeout_s`, `memory_bytes`: a bare `timeout` is read as seconds by one and ms by another."""
    wrong = [
        f"{file}:{node.lineno}: {word}"
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if (word := named(node)) in UNITLESS and f"{file}:{word}" not in UNITLESS_ALLOWED
    ]
    assert wrong == [], wrong


def named(node: ast.AST) -> str:
    """The name that a parameter or a field of a class introduces."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    return ""


def test_words_are_those_of_the_glossary() -> None:
    files = [*sources(), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", *sources_of_tests()]
    wrong = [
        f"{name(path)}:{number}: {found.group()}"
        for path in files
        if name(path) not in WORDS_ALLOWED
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := FORBIDDEN_WORDS.search(line))
    ]
    assert wrong == [], wrong


def sources_of_tests() -> list[Path]:
    return sorted((ROOT / "tests").rglob("*.py"))


def test_no_test_sleeps_or_skips() -> None:
    wrong = [
        f"{name(path)}: {found.group()}"
        for path in sources_of_tests()
        if path.name != "test_tidy.py" and (found := NOT_IN_TESTS.search(path.read_text()))
    ]
    assert wrong == [], wrong


def test_test_files_have_names_of_their_own() -> None:
    """Two files of one name hide each other's errors in reports."""
    names = [path.name for path in sources_of_tests() if path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
