"""The command line by itself: no node is there."""

import ast
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from swarmctl import app

HEAVY = ["llama_cpp", "numpy", "mlx", "torch", "zeroconf", "rich", "psutil", "pydantic"]
"""What a short command must not wait for."""

IMPORTED = """
import sys
from pathlib import Path
from swarmctl import app
sys.argv = ["swarmctl", *sys.argv[1:]]
code = app.main()
sys.stderr.write(" ".join(sorted(name for name in sys.modules if "." not in name)))
"""


def swarmctl(*args, home, stdin=b"", **env):
    return subprocess.run(
        [sys.executable, "-m", "swarmctl.app", *args],
        input=stdin,
        capture_output=True,
        env={**os.environ, "SWARM_HOME": str(home), **env},
        timeout=60,
        check=False,
    )


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command line in this process, where none of it needs a process of its own."""
    from swarmctl import app

    def call(*args, home=tmp_path):
        monkeypatch.setenv("SWARM_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["swarmctl", *args])
        code = app.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def imported(*args, home):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *args],
        capture_output=True,
        env={**os.environ, "SWARM_HOME": str(home)},
        check=True,
        timeout=60,
    )
    return set(done.stderr.decode().splitlines()[-1].split())


def test_help_imports_neither_an_engine_nor_the_socket_nor_the_decoder(tmp_path):
    modules = imported("--help", home=tmp_path)
    assert "typer" in modules
    assert not modules & {*HEAVY, "zmq", "msgspec", "broker", "worker"}


def test_completion_can_be_installed(run, tmp_path):
    assert "--install-completion" in run("--help")[1]
    without_a_shell = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = swarmctl("--show-completion", "bash", home=tmp_path, **without_a_shell)
    assert b"_SWARMCTL_COMPLETE" in script.stdout


def test_status_imports_no_engine_and_no_other_process_of_ours(tmp_path):
    modules = imported("status", home=tmp_path)
    assert "zmq" in modules
    assert not modules & {*HEAVY, "broker", "worker"}


@pytest.mark.parametrize("args", [[], ["--help"], ["jobs"], ["submit", "-h"], ["up", "--help"]])
def test_help_goes_to_stdout(args, run):
    code, stdout, stderr = run(*args)
    assert (code, stderr) == (0, "")
    assert stdout.startswith("Usage: swarmctl")


@pytest.mark.parametrize("args", [[], ["jobs"], ["models"]])
def test_each_command_is_told_of_in_one_line_that_is_whole(args, run):
    assert "..." not in run(*args, "--help")[1].partition("Commands:")[2]


@pytest.mark.parametrize(
    ("args", "hint"),
    [(["submitt"], "submit"), (["jobs", "sho"], "jobs show"), (["frobnicate"], "--help")],
)
def test_a_command_that_is_none_is_told_with_the_nearest(args, hint, run):
    code, _, stderr = run(*args)
    assert (code, stderr.splitlines()[2]) == (2, f"hint: swarmctl {hint}")


WRONG_NUMBERS = [
    (["submit", "-n", "x", "q"], "--votes 'x'", "votes takes 1 to 64"),
    (["submit", "--temperature", "hot", "q"], "--temperature 'hot'", "temperature takes 0 to 5"),
    (["submit", "--seed", "1.5", "q"], "--seed '1.5'", "it takes a whole number, 0 to 2147483647"),
    (["up", "--workers", "many"], "--workers 'many'", "workers takes 0 to 64"),
    (["scale", "two"], "swarmctl scale 'two'", "it takes a whole number, 0 to 64"),
    (["jobs", "ls", "--limit", "0"], "--limit '0'", "it takes a whole number, 1 to 1000"),
]


@pytest.mark.parametrize(("args", "seen", "because"), WRONG_NUMBERS)
def test_a_number_that_is_none_is_told_with_what_it_may_be(args, seen, because, run):
    code, stdout, stderr = run(*args)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(f"error: {seen}\nbecause: {because}\nhint: ")


def test_a_node_that_is_there_but_silent_is_told_and_not_waited_for(run, tmp_path, monkeypatch):
    """As a broker is that was stopped with SIGSTOP: its socket takes connections, no more."""
    monkeypatch.setattr("swarmctl.client.Client.ask.__defaults__", (0.2,))
    (tmp_path / "run").mkdir()
    (tmp_path / "broker.lock").write_text("4711\n")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "run" / "broker.sock"))
        listener.listen()
        code, stdout, stderr = run("status")
    assert (code, stdout) == (4, "")
    assert "because: its broker (process 4711) is there but silent" in stderr


def test_a_stale_socket_is_no_node(run, tmp_path):
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "run" / "broker.sock"))
        listener.listen()
    code, _, stderr = run("status")
    assert code == 4
    assert "error: no node runs here" in stderr


def test_the_version_is_told(tmp_path):
    assert swarmctl("--version", home=tmp_path).stdout.startswith(b"swarmctl 0.")


def test_shell_completion_knows_the_commands(tmp_path):
    done = swarmctl(
        home=tmp_path,
        _SWARMCTL_COMPLETE="complete_bash",
        COMP_WORDS="swarmctl sub",
        COMP_CWORD="1",
    )
    assert done.stdout.split() == [b"submit"]


WRONG_USAGE = [
    (["submit", ""], "error: the question is empty"),
    (["submit", " \n"], "error: the question is empty"),
    (["submit", "-n", "0", "x"], "error: --votes '0'\nbecause: votes takes 1 to 64"),
    (["submit", "--votes", "65", "x"], "error: --votes '65'\nbecause: votes takes 1 to 64"),
    (["submit", "--votes", "many", "x"], "error: --votes 'many'"),
    (["submit", "--temperature", "9", "x"], "error: --temperature '9'"),
    (["submit", "--timeout", "soon", "x"], "error: --timeout 'soon'"),
    (["submit", "--stop", "never", "x"], "error: --stop 'never'"),
    (["submit", "--min-agreement", "60", "x"], "error: --min-agreement '60'"),
    (["submit", "--seed", "-1", "x"], "error: --seed '-1'"),
    (["submit", "--choices", "A", "x"], "error: --choices 'A'"),
    (["submit", "--choices", "A,,B", "x"], "error: --choices 'A,,B'"),
    (["submit", "--choices", "A,B", "--answer", "number", "x"], "error: --choices with answer"),
    (["submit", "--schema", "/nonexistent/s", "x"], "error: cannot read /nonexistent/s"),
    (["submit", "--schema", "/dev/null", "x"], "error: --schema /dev/null cannot be used"),
    (["submit", "--schema", "/dev/zero", "x"], "error: /dev/zero is over 32768 bytes"),
    (["submit", "--file", "q.jsonl", "x"], "error: both PROMPT and --file"),
    (["submit", "--file", "q.jsonl", "--detach"], "error: --file with --detach"),
    (["submit", "--file", "/nonexistent/q"], "error: cannot read /nonexistent/q"),
    (["submit", "--out", "r", "x"], "error: --out without --file"),
    (["submit", "--sample"], "error: No such option: --sample"),
    (["submitt"], "error: No such command 'submitt'"),
    (["jobs", "show"], "error: Missing argument 'JOB'"),
    (["up", "--slots", "0"], "error: --slots '0'\nbecause: slots takes 1 to 64"),
    (["up", "--engine", "gpt"], "error: --engine 'gpt'"),
]


@pytest.mark.parametrize(("args", "said"), WRONG_USAGE)
def test_misuse_is_told_before_any_node_is_needed(args, said, run, tmp_path):
    code, stdout, stderr = run(*args)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("others", "said"),
    [
        (["--choices", "A,B"], "error: --choices with --schema"),
        (["--answer", "number"], "error: --schema with answer 'number'"),
        (["--judge", "abacus"], "error: --judge with --answer json"),
    ],
)
def test_a_schema_goes_with_json_alone(others, said, run, tmp_path):
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')
    code, stdout, stderr = run("submit", "x", "--schema", str(file), *others)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(said)


@pytest.mark.parametrize("given", [["-"], []])
def test_binary_on_standard_input_is_told_with_its_place(given, tmp_path):
    done = swarmctl("submit", *given, home=tmp_path, stdin=b"\x89PNG\r\n\x1a\n\0\0")
    assert done.returncode == 2
    assert b"because: byte 0x89 at position 0 is not UTF-8" in done.stderr


def test_an_empty_standard_input_is_an_empty_question(tmp_path):
    done = swarmctl("submit", home=tmp_path, stdin=b"\n")
    assert done.returncode == 2
    assert b"error: the question is empty" in done.stderr


def test_more_than_a_prompt_may_hold_is_told(tmp_path):
    done = swarmctl("submit", home=tmp_path, stdin=b"word " * (1 << 18))
    assert done.returncode == 2
    assert b"error: the question is over 1048576 bytes" in done.stderr


NEEDS_A_NODE = [
    ["status"], ["workers"], ["down"], ["scale", "2"], ["jobs", "ls"], ["jobs", "show", "x"],
    ["jobs", "wait", "x"], ["jobs", "cancel", "x"], ["submit", "--detach", "x"],
]  # fmt: skip


@pytest.mark.parametrize("args", NEEDS_A_NODE)
def test_without_a_node_the_next_command_is_told(args, run):
    code, stdout, stderr = run(*args)
    assert (code, stdout) == (4, "")
    assert stderr.startswith("error: no node runs here\nbecause: ")
    assert "hint: swarmctl up" in stderr


@pytest.mark.parametrize("args", [*NEEDS_A_NODE, ["submit", "x"], ["up", "--yes"]])
def test_a_home_too_long_for_a_socket_is_told_with_its_length(args, run, tmp_path):
    code, _, stderr = run(*args, home=tmp_path / ("x" * 120))
    assert code == 78
    assert stderr.startswith("error: the path ")
    assert "bytes, and the system takes 107\nhint: set SWARM_HOME to a shorter folder" in stderr


def test_a_home_of_nobody_is_told(run):
    code, _, stderr = run("status", home="~nobody-has-this-name/swarm")
    assert code == 78
    assert "because: ~nobody-has-this-name is no user's folder\nhint: set SWARM_HOME" in stderr


def test_a_home_that_cannot_be_written_is_told(tmp_path):
    # A file stands where the folder should be: unwritable for root, too.
    (tmp_path / "file").touch()
    done = swarmctl("up", "--yes", home=tmp_path / "file" / "home")
    assert done.returncode == 78
    assert b"error: cannot use the folder" in done.stderr
    assert b"hint: set SWARM_HOME" in done.stderr


def test_a_wrong_configuration_file_is_told_with_its_line(tmp_path):
    (tmp_path / "config.toml").write_text("# ours\nvotes = 0\n")
    done = swarmctl("submit", "x", home=tmp_path)
    assert done.returncode == 78
    assert f"votes is '0' in {tmp_path / 'config.toml'}, line 2" in done.stderr.decode()


def test_config_tells_each_value_and_where_it_came_from(tmp_path):
    (tmp_path / "config.toml").write_text("votes = 3\n")
    done = swarmctl("config", "--json", home=tmp_path, SWARM_SLOTS="2")
    told = json.loads(done.stdout)
    settings = {row["name"]: row for row in told["settings"]}
    assert (settings["votes"]["value"], settings["slots"]["value"]) == (3, 2)
    assert settings["votes"]["from"] == f"{tmp_path / 'config.toml'}, line 1"
    assert settings["slots"]["from"] == "the variable SWARM_SLOTS"
    assert told["home"]["state"] == str(tmp_path)


def test_colour_is_off_unless_asked_for(tmp_path):
    assert b"\x1b" not in swarmctl("status", home=tmp_path).stderr
    forced = swarmctl("status", home=tmp_path, FORCE_COLOR="1")
    assert b"\x1b[31merror:\x1b[0m" in forced.stderr
    both = swarmctl("status", home=tmp_path, FORCE_COLOR="1", NO_COLOR="1")
    assert b"\x1b" not in both.stderr


def test_a_reader_that_leaves_early_gives_no_traceback(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m swarmctl.app config | true",
        shell=True,
        capture_output=True,
        env={**os.environ, "SWARM_HOME": str(tmp_path)},
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr


FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason="a device that Linux has")


@needs_full
def test_a_full_disk_under_stdout_is_told(tmp_path):
    with open(FULL, "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "swarmctl.app", "config"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "SWARM_HOME": str(tmp_path)},
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert b"error: cannot write to standard output\nbecause: No space left" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("closing", "code"),
    [("config <&-", 0), ("config >&-", 0), ("config 2>&-", 0), ("submit <&-", 2)],
)
def test_a_stream_that_is_closed_gives_no_traceback(closing, code, tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m swarmctl.app {closing}",
        shell=True,
        capture_output=True,
        env={**os.environ, "SWARM_HOME": str(tmp_path)},
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_a_letter_that_stdout_cannot_say_is_written_escaped(tmp_path):
    done = swarmctl("config", home=tmp_path, SWARM_NAME="dän", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert rb"d\xe4n" in done.stdout


def test_a_broker_whose_lock_was_removed_is_told_of_by_what_finds_it(run, tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    path = tmp_path / "run" / "broker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        code, _, stderr = run("up", "--yes")
    assert code == 1
    assert f"because: its broker is process $(fuser {path})" in stderr


def test_every_option_names_itself() -> None:
    """Typer 0.27 took the name from the metavar where none was given: --ENGINE for --engine."""
    unnamed = [
        f"{file.stem}:{call.lineno}"
        for file in sorted(Path(app.__file__).parent.glob("*.py"))
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) == "typer.Option"
        and not (call.args and ast.unparse(call.args[0]).startswith("'--"))
    ]
    assert unnamed == []
