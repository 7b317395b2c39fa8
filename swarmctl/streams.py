"""The standard streams as a shell may hand them over: closed, or with few letters. Shell."""

import os
import sys
from io import TextIOWrapper


def open_all() -> None:
    """Give each stream that is closed, as by `>&-`, /dev/null instead.

    Else Python has None there, and the next socket would be standard output. What the encoding of
    stdout has no sign for is written escaped: an answer is not lost for a letter.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # It takes the lowest number that is free, which is the one that was closed.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def let_go() -> None:
    """Drop what stdout could not take: Python would try it once more at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
