"""Limits of control groups, level by level, both versions."""

from hypothesis import given
from hypothesis import strategies as st

from detect.cgroups import (
    Level,
    parse_mounts,
    parse_own,
    read_levels,
    read_oom_kills,
    read_quota,
)
from detect.host import RecordedHost
from detect.record import Record, Unread

V2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
UNLIMITED = "9223372036854771712"


def host(files: dict[str, str | Unread]) -> RecordedHost:
    return RecordedHost(Record(files=files))


def v2(path: str, **groups: dict[str, str]) -> RecordedHost:
    files: dict[str, str | Unread] = {
        "/proc/self/cgroup": f"0::{path}\n",
        "/proc/self/mountinfo": V2,
    }
    for group, values in groups.items():
        folder = "/sys/fs/cgroup" + (f"/{group.replace('__', '/')}" if group != "root" else "")
        files |= {f"{folder}/memory.{name}": text for name, text in values.items()}
    return host(files)


def test_every_level_up_to_the_root_is_read() -> None:
    levels = read_levels(
        v2(
            "/a/b",
            a__b={"max": "1000", "current": "100"},
            a={"max": "500", "current": "450"},
            root={"max": "max", "current": "5000"},
        )
    )
    assert [(level.path[-2:], level.headroom_bytes) for level in levels] == [
        ("/b", 900),
        ("/a", 50),
    ]


def test_the_soft_limit_counts_since_crossing_it_throttles() -> None:
    (level,) = read_levels(v2("/a", a={"max": "1000", "high": "600", "current": "0"}))
    assert level.limit_bytes == 600


def test_droppable_page_cache_is_room() -> None:
    (level,) = read_levels(
        v2("/a", a={"max": "1000", "current": "900", "stat": "anon 10\ninactive_file 800\n"})
    )
    assert level.headroom_bytes == 900


def test_a_path_of_the_host_falls_back_to_the_mount_inside_a_container() -> None:
    levels = read_levels(v2("/kubepods/pod1", root={"max": "700", "current": "100"}))
    assert [level.headroom_bytes for level in levels] == [600]


def test_a_group_of_a_containers_own_is_found_below_its_mount() -> None:
    files: dict[str, str | Unread] = {
        "/proc/self/cgroup": "4:memory:/docker/c1/inner\n",
        "/proc/self/mountinfo": V1.replace(" / /sys", " /docker/c1 /sys"),
        "/sys/fs/cgroup/memory/inner/memory.limit_in_bytes": "100",
        "/sys/fs/cgroup/memory/inner/memory.usage_in_bytes": "30",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": "30",
    }
    assert [level.headroom_bytes for level in read_levels(host(files))] == [70, 970]


def test_a_path_that_climbs_out_stays_inside() -> None:
    levels = read_levels(v2("/../../a", a={"max": "10", "current": "1"}))
    assert [level.path for level in levels] == ["/sys/fs/cgroup/a"]


def test_version_one_writes_no_limit_as_a_huge_number() -> None:
    folder = "/sys/fs/cgroup/memory"
    files: dict[str, str | Unread] = {
        "/proc/self/cgroup": "4:memory:/\n",
        "/proc/self/mountinfo": V1,
        f"{folder}/memory.limit_in_bytes": UNLIMITED,
        f"{folder}/memory.usage_in_bytes": "5",
    }
    assert read_levels(host(files)) == ()


def test_an_unreadable_limit_is_unknown_and_no_crash() -> None:
    files: dict[str, str | Unread] = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": V2,
        "/sys/fs/cgroup/memory.max": Unread("denied"),
        "/sys/fs/cgroup/memory.current": "1",
    }
    assert read_levels(host(files)) == ()


def test_the_tightest_quota_wins() -> None:
    files: dict[str, str | Unread] = {
        "/proc/self/cgroup": "0::/a/b\n",
        "/proc/self/mountinfo": V2,
        "/sys/fs/cgroup/a/b/cpu.max": "400000 100000",
        "/sys/fs/cgroup/a/cpu.max": "150000 100000",
    }
    assert read_quota(host(files)) == (1.5, "/sys/fs/cgroup/a")


def test_no_quota_is_none() -> None:
    files: dict[str, str | Unread] = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": V2,
        "/sys/fs/cgroup/cpu.max": "max 100000",
    }
    assert read_quota(host(files)) is None


def test_kills_for_memory_are_counted_in_either_version() -> None:
    counted = {"events": "low 0\nmax 3\noom 2\noom_kill 2\n", "max": "9"}
    assert read_oom_kills(v2("/a", a=counted)) == 2
    first: dict[str, str | Unread] = {
        "/proc/self/cgroup": "4:memory:/\n",
        "/proc/self/mountinfo": V1,
        "/sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\noom_kill 5\n",
    }
    assert read_oom_kills(host(first)) == 5
    assert read_oom_kills(host({})) is None


@given(limit=st.integers(0, 10**13), used=st.integers(0, 10**13), cache=st.integers(0, 10**13))
def test_headroom_is_never_negative(limit: int, used: int, cache: int) -> None:
    assert Level("/", limit, used, cache).headroom_bytes == max(limit - used + cache, 0)


@given(st.text(max_size=200))
def test_any_text_parses_calmly(text: str) -> None:
    assert isinstance(parse_own(text), dict)
    assert isinstance(parse_mounts(text), dict)
