"""Starting brokers: what is read from a log, and the command line that is built."""

import io

from swarmctl import node


def test_the_flags_that_were_given_become_the_brokers():
    flags = {"workers": 2, "model": None, "gpu_layers": "all"}
    command = node.command(flags, lifeline=True)
    assert command[1:] == [
        "-P", "-m", "broker", "--workers", "2", "--gpu-layers", "all", "--lifeline",
    ]  # fmt: skip


def test_the_last_error_of_a_log_is_found():
    log = "error: old\nhint: old\nstarted\nerror: no key\nbecause: rain\nhint: umbrella\n"
    assert node.last_error(log) == ("no key", "rain", "umbrella")


def test_an_error_without_a_cause_has_none():
    assert node.last_error("error: no key\nhint: umbrella\nended\n") == ("no key", "", "umbrella")


def test_a_log_without_an_error_says_nothing():
    assert node.last_error("all is well, no error: here") == ("", "", "")


def test_what_a_log_held_before_is_not_this_nodes_error():
    assert node.tail(io.BytesIO(b"error: old\nnew\n"), begin=11) == "new\n"


def test_only_the_end_of_a_long_log_is_read():
    assert len(node.tail(io.BytesIO(b"x" * 100_000))) == node.LOG_TAIL_BYTES


def test_a_node_that_ended_by_a_wrong_configuration_keeps_its_exit_code():
    assert node.ended(78, "error: no key\nhint: umbrella\n").code == 78
    assert node.ended(-9, "").because == "signal 9"
