"""What a scripted engine does beside answering: sleep, hang, or end its process."""

import os
import time

from worker.engines.scripted import Script

CRASHED = 70  # EX_SOFTWARE of sysexits(3)


def misbehave(script: Script, fails: bool) -> None:
    """Make the step as long as the script says, and fail when it is time."""
    if script.step_s:
        time.sleep(script.step_s)
    if not fails:
        return
    if script.fail == "exit":
        os._exit(CRASHED)
    while script.fail == "hang":
        time.sleep(3600)
