"""A turn of the loop is short, whatever comes."""

from broker.pace import FRAMES_MAX, LONGEST_S, SHORTEST_S, Pace


def frames_taken(frame_s: float, commit_s: float = 0.0) -> int:
    """How many of very many frames a turn takes, when each takes so long, after such a commit."""
    pace = Pace()
    pace.committed(commit_s)
    pace.begin(100.0)
    taken = 2
    while pace.goes_on(100.0 + frame_s * taken):
        taken += 1
    return taken


def test_quick_frames_are_taken_up_to_a_number() -> None:
    assert frames_taken(0.0) == 1 + FRAMES_MAX


def test_slow_frames_are_taken_for_a_while() -> None:
    """256 of 256 STATUS each kept everybody else waiting for seven minutes."""
    assert frames_taken(SHORTEST_S / 4) <= 5
    assert frames_taken(1.0) == 2


def test_a_slow_disk_gets_fewer_and_larger_commits_within_a_bound() -> None:
    few, more = frames_taken(0.001), frames_taken(0.001, commit_s=0.02)
    assert few < more < frames_taken(0.001, commit_s=10.0) == round(LONGEST_S / 0.001)
