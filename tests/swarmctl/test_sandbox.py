"""Programs that a model wrote, run where they can do no harm. Needs Linux, as the sandbox does."""

from pathlib import Path

import pytest

from swarmctl.sandbox import run

HOSTILE = {
    "opens a socket": "import socket\ndef f(): return socket.socket()",
    "starts a process": "import subprocess\ndef f(): return subprocess.run(['true'])",
    "forks": "import os\ndef f(): return os.fork()",
    "kills its parent": "import os\ndef f(): return os.kill(os.getppid(), 9)",
    "makes a folder": "import os\ndef f(): return os.mkdir('TARGET.new')",
    "writes a file": "def f(): return open('TARGET', 'w')",
    "removes a file": "import os\ndef f(): return os.remove('TARGET')",
    "renames a file": "import os\ndef f(): return os.rename('TARGET', 'TARGET.old')",
}


def test_values_and_exceptions_come_back() -> None:
    ran = run(["def f(x): return [x, 1 / x]"], [["f(2)", "f(0)"]])
    assert ran[0].values == ("[2, 0.5]", None)
    assert ran[0].errors == (None, "ZeroDivisionError")


@pytest.mark.parametrize("deed", HOSTILE)
def test_a_program_cannot_reach_out(deed: str, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.write_text("kept")
    ran = run([HOSTILE[deed].replace("TARGET", str(target))], [["f()"]])
    assert ran[0].errors == ("PermissionError",)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert target.read_text() == "kept"


def test_a_program_that_never_ends_or_takes_all_memory_is_stopped_and_the_next_runs() -> None:
    sources = [
        "def f():\n    while True: pass",
        "def f(): return 'a' * 10**11",
        "def f(): return 1",
    ]
    ran = run(sources, [["f()", "f()"]] * 3, seconds=0.1)
    assert [program.errors for program in ran] == [
        ("Late", "Late"),
        ("MemoryError", "MemoryError"),
        (None, None),
    ]


def test_a_program_that_kills_its_process_takes_no_other_with_it() -> None:
    ran = run(["def f(): return 1", "import os\nos._exit(1)", "def f(): return 2"], [["f()"]] * 3)
    assert [(program.values, program.broken) for program in ran] == [
        (("1",), ""),
        ((), "killed"),
        (("2",), ""),
    ]
