"""The worked example of docs/PLACEMENT.md is what the code computes."""

from pathlib import Path

import pytest

from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Plan, plan
from detect.placement.words import size
from tests.detect import machine_files
from tests.detect.models import MODELS

PAGE = (Path(__file__).parents[2] / "docs" / "PLACEMENT.md").read_text("utf-8")


def planned(name: str) -> Plan:
    return plan(detect(RecordedHost(machine_files.record(name))), MODELS["4b"])


@pytest.mark.parametrize("part", ["weight", "cache", "compute", "process", "total", "budget"])
def test_each_row_of_the_example_is_the_sum_of_the_plan(part: str) -> None:
    (row, _) = planned("nvidia_rtx4090").workers[0].sums
    assert f"| {size(getattr(row, f'{part}_bytes'))} |" in PAGE.replace("**", "")


def test_the_small_card_of_the_example_gets_the_layers_it_says() -> None:
    (worker,) = planned("nvidia_gtx1650").workers
    assert f"the last {worker.gpu_layers} of 37" in PAGE
    here, beside = worker.sums
    for row in (here, beside):
        assert f"{size(row.total_bytes)}" in PAGE
