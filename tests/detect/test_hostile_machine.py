"""Whatever files, variables and commands say: facts, checks and a plan, never an exception."""

import random
import re
from typing import Any

import msgspec
import pytest

from detect.doctor import Seen, examine
from detect.host import RecordedHost
from detect.machine import detect
from detect.placement import Limits, plan
from detect.record import Command, Record, Unread
from tests.detect import machine_files
from tests.detect.models import MODELS

TEXTS = (
    "", "-1", "0", "²", "9" * 5000, "x", "0x", "max", "nan", "1 2 3", "\0", "0-99999999", "4096-1",
    "18446744073709551615", "a:b:c:d", "GPU-", "MIG-", "0,²", "0,0",
)  # fmt: skip
VALUES: tuple[Any, ...] = (None, -1, 0, 1 << 70, "²", "", [], {}, True, 1.5, ["x"], {"a": 1})
VISIBLE = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
ROUNDS = 10  # of each machine


def text(rng: random.Random, told: str) -> str:
    """Another text: one of ours, or this one with its numbers changed, or cut short."""
    kind = rng.randrange(3)
    if kind == 0:
        return rng.choice(TEXTS)
    if kind == 1:
        return told[: rng.randrange(len(told) + 1)]
    return re.sub(r"\d+", lambda one: rng.choice((one[0], rng.choice(TEXTS))), told)


def value(rng: random.Random, told: Any) -> Any:
    """The same answer of a probe with one value of it changed."""
    if isinstance(told, dict) and told:
        key = rng.choice(sorted(told))
        return {**told, key: value(rng, told[key])}
    if isinstance(told, list) and told:
        at = rng.randrange(len(told))
        return [*told[:at], value(rng, told[at]), *told[at + 1 :]]
    return rng.choice(VALUES)


def twisted(rng: random.Random, told: Record) -> Record:
    """The record with one file, variable, command and probe changed."""
    files, env, commands, probes = (
        dict(told.files), dict(told.env), dict(told.commands), dict(told.probes),
    )  # fmt: skip
    env[rng.choice(VISIBLE)] = rng.choice(TEXTS)
    if files:
        path = rng.choice(sorted(files))
        old = files[path]
        files[path] = Unread("failed") if isinstance(old, Unread) else text(rng, old)
    if commands:
        argv = rng.choice(sorted(commands))
        commands[argv] = Command(rng.randrange(2), text(rng, commands[argv].out))
    if probes:
        name = rng.choice(sorted(probes))
        if probes[name].value:
            probes[name] = msgspec.structs.replace(
                probes[name], value=value(rng, probes[name].value)
            )
    return msgspec.structs.replace(told, files=files, env=env, commands=commands, probes=probes)


@pytest.mark.parametrize("name", machine_files.names())
def test_a_machine_that_answers_nonsense_is_still_planned(name: str) -> None:
    rng = random.Random(name)
    for _ in range(ROUNDS):
        found = detect(RecordedHost(twisted(rng, machine_files.record(name))))
        assert examine(found, Seen())
        for limits in (Limits(), Limits(gpu_layers="all", workers=3)):
            got = plan(found, MODELS["4b"], limits)
            assert got.workers or got.error
