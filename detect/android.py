"""Everything that is different on Android and Termux, in one place.

Python up to 3.12 says linux there, 3.13 and later says android. A proot distribution looks like
Debian from inside. Reads of /proc/stat, /proc/net and much of cpufreq are refused by policy, which
the other readers take as unknown. Packages come from `pkg`, the prefix is not /usr, and there is
no /tmp.
"""

from detect.digits import digits
from detect.facts import Note
from detect.host import Host, text_of

ENGINE_LINE = "pkg install clang cmake ninja python-numpy && pip install llama-cpp-python"
"""Nobody offers wheels for Android: the engine is built there, against Termux's own numpy."""
PHANTOM_PROCESSES_MAX = 32
"""Android 12 and later end the children of an app beyond this number, with signal 9."""


def is_android(host: Host) -> bool:
    """Whether this process runs in an Android app such as Termux (proot aside)."""
    env = host.env
    return (
        host.about.sys_platform == "android"
        or host.about.android_api
        or (env.get("ANDROID_ROOT") == "/system" and env.get("ANDROID_DATA") == "/data")
    )


def traits(host: Host) -> dict[str, str]:
    """Say whether the app is Termux, and by what sign."""
    if host.env.get("TERMUX_VERSION"):
        return {"termux": "$TERMUX_VERSION"}
    if "com.termux" in host.env.get("PREFIX", ""):
        return {"termux": "$PREFIX"}
    return {}


def proot_traits(host: Host) -> dict[str, str]:
    """Signs that a Linux-looking process is a proot guest on Android.

    proot works by ptrace, so its guests have a tracer; a debugger has one too, therefore a second
    sign is needed: an Android file or folder shown inside, or Android's kernel name.
    """
    status = text_of(host, "/proc/self/status") or ""
    traced = any(
        line.startswith("TracerPid:") and line.split(":")[1].strip() != "0"
        for line in status.splitlines()
    )
    shown = [
        path
        for path in ("/system/build.prop", "/data/data/com.termux/files/usr/bin/login")
        if host.read(path) is not None
    ]
    if "android" in host.about.release.lower():
        shown.append(f"kernel {host.about.release}")
    return {"proot": f"TracerPid and {shown[0]}"} if traced and shown else {}


def prop(host: Host, name: str) -> str | None:
    """One Android system property, or None."""
    done = host.run("getprop", name)
    return done.out.strip() if done is not None and done.rc == 0 and done.out.strip() else None


def model(host: Host) -> tuple[str, str] | None:
    """The phone's name and chip."""
    names = [name for name in (prop(host, "ro.product.model"), prop(host, "ro.soc.model")) if name]
    return (", ".join(names), "getprop") if names else None


def api_level(host: Host) -> int | None:
    """Android's API level: 31 is Android 12."""
    text = prop(host, "ro.build.version.sdk")
    return digits(text) if text else None


def notes(host: Host) -> tuple[Note, ...]:
    """What every user on a phone should know before starting workers."""
    level = api_level(host)
    found = [
        Note(
            "android",
            "info",
            f"programs and packages are in {host.env.get('PREFIX', 'an app of their own')}, "
            "the node's files in the home folder: shared storage has no sockets and no rights",
            "pkg install brings packages; psutil is python-psutil there, and not needed",
        ),
        Note(
            "android",
            "info",
            "Android stops background work unless the wake lock is held",
            "termux-wake-lock, and set the battery use of Termux to unrestricted",
        ),
        Note(
            "android",
            "info",
            "Android hands no multicast to Termux: peers are not found by themselves here",
            "join by address",
        ),
    ]
    if level is None or level >= 31:
        found.append(
            Note(
                "android",
                "warn",
                f"Android 12 and later end processes beyond {PHANTOM_PROCESSES_MAX} (signal 9)",
                "one worker with several slots; to lift it: adb shell settings put global "
                "settings_enable_monitor_phantom_procs false",
            )
        )
    return tuple(found)
