"""Raw text to canonical answer: one file for each answer type; equal answers are one choice."""

from broker.voting.answers.extraction import extract

__all__ = ["extract"]
