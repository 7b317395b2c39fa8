"""What a plan tells the llamacpp engine: splits, cache types, and where the model went."""

import pytest

from detect.placement import readback
from worker.engine import Request
from worker.engines import EngineOptions, LoadError, load


def test_the_load_log_says_where_the_model_is(opened) -> None:
    loaded = readback.parse(opened("abacus", 8).facts.load_log)
    assert loaded.on_devices() == 0
    assert loaded.total() > 1 << 20


def test_each_load_has_its_own_log(opened) -> None:
    first = opened("abacus", 8).facts.load_log
    assert opened("abacus", 8).facts.load_log == first


def test_quantised_keys_and_values_take_about_half(opened) -> None:
    def cache_mib(kv_type: str) -> float:
        line = next(
            row
            for row in opened("abacus", 8, kv_type=kv_type).facts.load_log.splitlines()
            if "KV buffer" in row
        )
        return float(line.split()[-2])

    assert cache_mib("q8_0") == pytest.approx(cache_mib("f16") * 34 / 64, rel=0.01)


def test_quantised_keys_and_values_give_the_same_text_alone_and_in_a_batch(
    opened, run, question
) -> None:
    requests = [Request(prompt=question, seed=seed, max_tokens=60) for seed in range(6)]
    together = run(opened("abacus", 6, kv_type="q8_0")).all(requests)
    alone = run(opened("abacus", 1, kv_type="q8_0")).all(requests)
    assert [one.text for one in together] == [one.text for one in alone]


@pytest.mark.parametrize(
    "options",
    [
        EngineOptions(threads=1, split_mode="none", main_gpu=0),
        EngineOptions(threads=1, split_mode="layer", tensor_split=(3.0, 1.0)),
        EngineOptions(threads=1, experts_in_main_memory=True),
    ],
    ids=["none", "layer", "experts"],
)
def test_a_plan_for_gpus_loads_with_a_cpu_build_too(options, run, question) -> None:
    engine = load("auto", "abacus", 2, options)
    (done,) = run(engine).all([Request(prompt=question, seed=1, max_tokens=5)])
    engine.close()
    assert done.tokens == 5


def test_a_cache_that_no_memory_holds_is_told_apart_from_a_wrong_file() -> None:
    with pytest.raises(LoadError) as caught:
        load("auto", "abacus", 64, EngineOptions(context_tokens=1 << 20))
    assert caught.value.no_room
    with pytest.raises(LoadError) as missing:
        load("auto", "nowhere/missing.gguf", 1)
    assert not missing.value.no_room
