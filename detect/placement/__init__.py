"""What fits: pure functions from a Machine, a Model and Limits to a Plan, with its sums in words.

Reading order: result (what a plan says), memory and compute (the formulas), budget (what may be
taken), check (what a user asked wrongly), attempts (one way to run the model, and whether it fits),
choose (the order in which ways are tried), retry (out of memory at load), readback (what really
loaded).
"""

from detect.placement.choose import plan
from detect.placement.result import Limits, Plan, PlannedWorker, Refused

__all__ = ["Limits", "Plan", "PlannedWorker", "Refused", "plan"]
