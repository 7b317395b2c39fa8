"""Whether this machine hears its own multicast: announce a name, and wait to be told of it."""

import threading
from typing import Any

SERVICE = "_swarm-doctor._udp.local."
WAIT_S = 2.5  # an announcement is repeated within a second; RFC 6762, 8.3
PORT = 9  # discard; nothing is ever sent there


def probe(interface: str = "") -> dict[str, Any]:
    """Announce by one socket, listen by another; `interface` narrows it to one address."""
    try:
        from zeroconf import InterfaceChoice, ServiceBrowser, ServiceInfo, Zeroconf
    except ImportError:
        return {"error": "zeroconf is not installed"}
    interfaces: Any = [interface] if interface else InterfaceChoice.All
    heard = threading.Event()

    class Listener:
        """Told of every announcement of our kind."""

        def add_service(self, *_: object) -> None:
            heard.set()

        def update_service(self, *_: object) -> None:
            return

        def remove_service(self, *_: object) -> None:
            return

    info = ServiceInfo(SERVICE, f"doctor.{SERVICE}", addresses=[bytes([127, 0, 0, 1])], port=PORT)
    try:
        with Zeroconf(interfaces=interfaces) as ears, Zeroconf(interfaces=interfaces) as mouth:
            ServiceBrowser(ears, SERVICE, Listener())  # type: ignore[arg-type]
            mouth.register_service(info, allow_name_change=True)
            return {"heard": heard.wait(WAIT_S), "error": ""}
    except (OSError, RuntimeError) as wrong:  # zeroconf says so of a machine without a network
        return {"error": str(wrong)}
