"""The doctor's findings: graded, grouped, each failure with the command that mends it."""

import sys

import msgspec
import pytest

from detect import seen
from detect.doctor import STATES, Check, Seen, examine, worst
from detect.facts import LABEL_CHARS
from detect.host import RecordedHost
from detect.machine import detect
from detect.seen import look
from tests.detect import machine_files

WELL = Seen(
    home="/h",
    socket_error="",
    disk_free_bytes=100 << 30,
    files_open_max=4096,
    clock_synchronised=True,
    mdns_heard=True,
)


def checked(name: str, told: Seen = WELL) -> tuple[Check, ...]:
    return examine(detect(RecordedHost(machine_files.record(name))), told)


def find(found: tuple[Check, ...], group: str, name: str) -> Check:
    return next(check for check in found if (check.group, check.name) == (group, name))


@pytest.mark.parametrize("name", machine_files.names())
def test_whatever_is_wrong_comes_with_a_fix(name: str) -> None:
    assert [c for c in checked(name) if c.state in {"warn", "fail"} and not c.fix] == []


def test_a_healthy_machine_has_nothing_worse_than_ok() -> None:
    assert worst(checked("nvidia_rtx4090")) == "ok"


def test_a_build_without_gpu_support_fails_with_the_install_line() -> None:
    found = checked("nvidia_cpu_build")
    assert worst(found) == "fail"
    assert any("GGML_CUDA=on" in check.fix for check in found if check.state == "fail")


def test_the_render_group_is_named() -> None:
    assert any("usermod -aG render" in c.fix for c in checked("amd_no_render_group"))


def test_little_memory_under_a_limit_comes_with_the_limit() -> None:
    found = detect(RecordedHost(machine_files.record("container_cgroup2")))
    memory = msgspec.structs.replace(found.memory, headroom_bytes=200 << 20, limit_bytes=300 << 20)
    checks = examine(msgspec.structs.replace(found, memory=memory), WELL)
    assert "MemoryMax=" in find(checks, "memory", "headroom").fix


def test_a_machine_without_a_network_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import zeroconf

    from detect.probes import mdns

    def refuse(**_: object) -> None:
        raise RuntimeError("No interfaces to listen on")

    monkeypatch.setattr(zeroconf, "Zeroconf", refuse)
    assert mdns.probe() == {"error": "No interfaces to listen on"}


def test_a_phone_is_told_of_its_process_limit_and_wake_lock() -> None:
    fixes = " ".join(check.fix for check in checked("termux_py314"))
    assert "termux-wake-lock" in fixes
    assert "phantom" in fixes


def test_no_engine_is_a_warning_since_the_node_can_ask_others() -> None:
    assert find(checked("no_engine"), "engine", "installed").state == "warn"


@pytest.mark.parametrize(
    ("told", "group", "name", "state"),
    [
        (Seen(home_error="cannot write", home_hint="do"), "node", "home", "fail"),
        (Seen(home="/h", socket_error="no"), "node", "socket", "fail"),
        (Seen(home="/h"), "node", "socket", "unknown"),
        (Seen(home="/h", disk_free_bytes=1 << 20), "node", "disk", "fail"),
        (Seen(home="/h", disk_free_bytes=1 << 31), "node", "disk", "warn"),
        (Seen(home="/h"), "node", "disk", "unknown"),
        (Seen(files_open_max=64), "limits", "open files", "fail"),
        (Seen(files_open_max=256), "limits", "open files", "warn"),
        (Seen(), "limits", "open files", "unknown"),
        (Seen(clock_synchronised=False), "network", "clock", "warn"),
        (Seen(mdns_heard=False), "network", "mdns", "warn"),
        (Seen(mdns_error="no interface"), "network", "mdns", "warn"),
        (Seen(), "network", "mdns", "unknown"),
    ],
)
def test_each_check_grades_what_was_seen(told: Seen, group: str, name: str, state: str) -> None:
    assert find(checked("nvidia_rtx4090", told), group, name).state == state


def test_states_are_ordered_from_best_to_worst() -> None:
    assert worst(()) == "ok"
    assert worst(tuple(Check("g", "n", state, "") for state in STATES)) == "fail"


def test_this_machine_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """mDNS over loopback only."""
    monkeypatch.setenv("SWARM_HOME", f"{tmp_path}")
    told = look("127.0.0.1")
    assert told.home_error == ""
    assert told.socket_error == ""
    assert told.disk_free_bytes
    assert told.mdns_heard is not None or told.mdns_error


def test_a_home_that_cannot_be_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARM_HOME", "/proc/nowhere")
    home, error, hint = seen._home()
    assert home is None
    assert error
    assert hint


def test_an_engine_that_does_not_load_is_not_called_missing() -> None:
    found = checked("engine_broken")
    assert not [check for check in found if check.name == "installed"]
    broken = find(found, "engine", "engine")
    assert (broken.state, "force-reinstall" in broken.fix) == ("fail", True)


def test_a_device_is_named_shortly_and_its_state_in_words() -> None:
    found = checked("nvidia_lost")
    lost = next(check for check in found if "fell off the bus" in check.seen)
    assert lost.name.startswith("GPU-")
    assert len(lost.name) == LABEL_CHARS
    assert lost.fix


def test_an_integrated_gpu_that_is_left_alone_is_no_fault() -> None:
    assert worst(checked("intel_laptop_igpu")) in {"ok", "info"}


def test_on_a_phone_the_engine_is_installed_by_its_own_packages() -> None:
    phone = detect(RecordedHost(machine_files.record("termux_py312")))
    bare = examine(msgspec.structs.replace(phone, engines=()), WELL)
    assert find(bare, "engine", "installed").fix.startswith("pkg install")
    assert any("/data/data/com.termux/files/usr" in check.seen for check in bare)


def test_the_kernel_says_whether_the_clock_is_synchronised() -> None:
    assert seen._kernel_clock() in ({True, False} if sys.platform == "linux" else {None})
