"""Each file of stories/ is one run of the core and its transcript: the language is in story.py."""

from pathlib import Path

import pytest

from tests.broker.story import Story

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_story_happens_as_it_is_told(path: Path, request: pytest.FixtureRequest) -> None:
    told = path.read_text()
    happened = Story().run(told)
    if request.config.getoption("--rewrite"):
        path.write_text(happened)
    else:
        assert happened == told


def test_there_are_stories() -> None:
    assert len(STORIES) >= 10
