"""Shells in homes of their own."""

import pytest

from tests.swarmctl.shell import Shell


@pytest.fixture(scope="module")
def make_shell(tmp_path_factory):
    """Shells in homes of their own; nodes that still run are ended."""
    made = []

    def make(**env):
        made.append(Shell(tmp_path_factory.mktemp("n"), **env))
        return made[-1]

    yield make
    for shell in made:
        if shell.is_up:
            shell.run("down", "--now")
