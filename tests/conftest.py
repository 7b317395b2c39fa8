"""Options and fixtures for every test."""

import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write what happens now into the stories"
    )


def pytest_configure() -> None:
    """Let an interrupt be one for the processes that tests start.

    A shell that runs the tests in the background has them ignore SIGINT, and every child inherits
    that: a Ctrl-C that a test sends would then mean nothing.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
