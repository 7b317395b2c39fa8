"""The bounds of everything that is said, each with its reason. Checked where a message enters."""

SEATS_MAX = 64
"""Seats a client may ask for in one job: accuracy gains end near 40 votes, and one job must not
fill the swarm."""

PROMPT_BYTES_MAX = 1 << 20
"""Prompt, system text, choices and stop strings together: four times the longest context of small
models (256k tokens)."""

TEXT_BYTES_MAX = 256 << 10
"""Text of one vote. A longer one is cut by the worker and counts as finish "length"."""

FRAME_BYTES_MAX = 32 << 20
"""A frame: a verdict with the texts of 64 seats, 16 MiB, and room for encoding."""

FRAME_FULL_BYTES = 64 << 10
"""A frame that would grow beyond this is closed: a larger one saves no more sends, and costs fresh
memory for every join and copy."""

FRAME_MESSAGES_MAX = 256
"""Messages in one frame: past this, batching saves nothing more and only delays the first."""

MAX_TOKENS_MAX = 131_072
"""Tokens of one answer: the longest context that small models are run with."""

SEED_BITS = 31
SEED_MAX = (1 << SEED_BITS) - 1
"""Seeds are 31 bits: positive in every engine's type, and never llama.cpp's 2**32-1, "random"."""

TEMPERATURE_MAX = 5.0
"""Above this every engine samples noise."""

TIMEOUT_S_MAX = 24 * 3600.0
"""No job without an end: a day is longer than any vote."""

CHOICES_MAX = 64
"""Choices of one question; as many as there can be seats."""

SCHEMA_BYTES_MAX = 32 << 10
"""A schema of one answer; a longer one describes documents."""

STOP_STRINGS_MAX = 8
"""Each is searched for in every new piece of text."""

REASON_CHARS_MAX = 600
"""Of why a seat was not answered, or a worker left: a few sentences. 64 of them stand in a
verdict."""

READY_CHARS_MAX = 16 << 10
"""Names and notes of one worker: each of its votes, and each status, says some of them again."""

NAME_CHARS_MAX = 128
"""Names of jobs, nodes, workers and models, as they stand in tables and logs."""

STOPPED_CHARS_MAX = 600
"""Of what a client says of its check, for the verdict: a few sentences."""

JOBS_LISTED_MAX = 1000
"""Rows in one JOBS report."""
