"""The fault cases that a broker has to live through, one at a time, in a world made for each."""

from typing import Any

import pytest

from tests.simulation.dice import Rates, entries
from tests.simulation.run import Result, replay
from tests.simulation.script import Entry, Script

END_S = 40.0


def world_with(kind: str, seed: int = 1, every_s: float = 2.0, **fields: Any) -> Result:
    """Jobs as the dice have them, and one kind of fault again and again, now here, now there."""
    jobs = (
        entry for entry in entries(seed, 0, Rates(1.0, 0.0)) if entry.kind in ("submit", "wait")
    )
    script = []
    for entry in jobs:
        if entry.at > END_S:
            break
        script.append(entry)
    numbers = range(1, round(END_S / every_s))
    script += [Entry(i * every_s, 0, kind, who=i, n=i, **fields) for i in numbers]
    script.sort(key=lambda entry: entry.at)
    return replay(Script(seed, 2, END_S, tuple(script)))


CASES = [
    ("case_1_a_worker_killed_in_mid_generation_costs_no_job", "worker_killed", {}),
    ("case_3_a_crash_loop_at_start_leaves_the_others_working", "crash_loop", {}),
    ("case_3_a_bad_model_file_leaves_the_others_working", "bad_model", {}),
    (
        "case_5_a_stopped_worker_is_replaced_and_its_late_answers_refused",
        "worker_stopped",
        {"s": 12.0},
    ),
    ("case_5_a_worker_stuck_in_one_call_is_replaced", "worker_stuck", {"s": 12.0}),
    ("case_6_a_killed_broker_loses_nothing_that_it_accepted", "broker_killed", {"s": 0.5}),
    ("case_6_a_broker_killed_at_every_seam_of_a_turn_loses_nothing", "broker_killed_at", {}),
    ("case_8_a_client_gone_before_the_verdict_gets_it_later", "client_dies", {}),
    ("case_9_a_repeated_submit_is_the_same_job", "submit_again", {}),
    ("case_10_a_partition_and_its_healing_count_each_vote_once", "partition", {"s": 6.0}),
    ("case_10_a_partition_that_loses_what_was_under_way", "partition", {"s": 6.0, "what": "lose"}),
    ("case_11_a_half_open_link_is_noticed", "link_dark", {"s": 12.0, "what": "lose"}),
    ("case_11_a_half_open_link_that_comes_back_late", "link_dark", {"s": 6.0}),
    ("case_12_a_slow_link_changes_no_verdict", "link_slow", {"s": 6.0}),
    ("case_13_a_repeated_vote_counts_once", "vote_repeated", {}),
    ("case_13_frames_that_arrive_twice_count_once", "link_repeats", {}),
    ("case_14_a_vote_by_one_who_was_not_asked_is_ignored", "vote_for_anothers_seat", {}),
    ("case_14_a_vote_by_a_client_is_ignored", "vote_by_a_client", {}),
    ("case_14_a_vote_never_asked_for_is_ignored", "vote_never_asked_for", {}),
    ("case_14_a_vote_of_another_attempt_is_ignored", "vote_of_another_attempt", {}),
    ("case_15_a_jump_of_the_wall_clock_ends_nothing", "wall_jumps", {}),
    ("case_16_a_full_disk_refuses_by_name_and_heals", "disk_full", {"every_s": 8.0, "s": 2.0}),
    ("case_16_a_slow_disk_delays_and_loses_nothing", "disk_slow", {"s": 1.0}),
    ("case_23_nonsense_is_dropped", "nonsense", {}),
    ("case_27_a_node_told_to_end_keeps_what_it_accepted", "stop", {}),
    (
        "case_29_a_voter_that_flaps_with_ever_new_addresses_costs_no_job",
        "address_changes",
        {"every_s": 1.0, "s": 3.0},
    ),
    ("case_30_a_second_holder_of_a_name_is_refused", "ready_again", {}),
    ("case_31_a_broken_link_repeats_and_loses_nothing", "link_breaks", {"s": 1.0}),
    ("case_32_a_machine_that_sleeps_wakes_to_whole_jobs", "machine_sleeps", {"s": 12.0}),
]


@pytest.mark.parametrize(("name", "kind", "fields"), CASES, ids=[name for name, _, _ in CASES])
def test_fault(name: str, kind: str, fields: dict[str, Any]) -> None:
    for seed in (1, 2):
        result = world_with(kind, seed, **fields)
        assert not result.violation
        assert result.lost == result.unexpected == result.duplicated == 0
        assert result.verdicts >= result.acknowledged > 5
