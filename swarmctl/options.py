"""The flags of `submit` and `up`: one name, one sentence each. Defaults are in detect.settings.

Numbers are taken as text: the settings read them, and say what a wrong one should be in our words.
"""

from typing import Annotated

import typer

Prompt = Annotated[
    str | None, typer.Argument(metavar="PROMPT|-", help="The question; - reads standard input.")
]
Votes = Annotated[
    str | None, typer.Option("--votes", "-n", help="Votes to ask for, 1 to 64. [8]", metavar="N")
]
Answer = Annotated[
    str | None,
    typer.Option(
        "--answer",
        help="What is compared: auto, number, choice, label, latex, literal, json, tool, code "
        "or text. [auto]",
        metavar="TYPE",
    ),
]
Choices = Annotated[
    str | None,
    typer.Option("--choices", help="The answers allowed, separated by commas.", metavar="A,B,C"),
]
Schema = Annotated[
    str | None,
    typer.Option(
        "--schema",
        help="JSON Schema that an answer must fit; a vote that does not fit abstains.",
        metavar="FILE",
    ),
]
System = Annotated[
    str, typer.Option("--system", help="System text before the question.", metavar="TEXT")
]
Temperature = Annotated[
    str | None,
    typer.Option("--temperature", help="0 to 5; at 0 one model has one vote. [0.8]", metavar="T"),
]
MaxTokens = Annotated[
    str | None,
    typer.Option("--max-tokens", help="Tokens of one answer at most. [512]", metavar="N"),
]
Seed = Annotated[
    str | None,
    typer.Option("--seed", help="Of the first seat; the others follow. [drawn]", metavar="N"),
]
Model = Annotated[
    str, typer.Option("--model", help="Only voters with this model.", metavar="MODEL")
]
Stop = Annotated[
    str | None,
    typer.Option(
        "--stop",
        help="When to stop counting: fast, saving (fewer tokens) or all. [fast]",
        metavar="MODE",
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option("--timeout", help="60s, 2m, 1h; the job ends then. [60s]", metavar="TIME"),
]
MinAgreement = Annotated[
    str | None,
    typer.Option(
        "--min-agreement",
        help="Below this share of the votes there is no verdict. [0]",
        metavar="SHARE",
    ),
]
Check = Annotated[
    str | None,
    typer.Option(
        "--check",
        help="Run this here on each vote, on its standard input; the first that it passes with "
        "exit code 0 wins, whatever the count.",
        metavar="CMD",
    ),
]
CheckTimeout = Annotated[
    str | None,
    typer.Option(
        "--check-timeout", help="For one run of --check; it fails then. [10s]", metavar="TIME"
    ),
]
Judge = Annotated[
    str | None,
    typer.Option(
        "--judge",
        help="For prose: this model compares two or three finalists, each pair in both orders.",
        metavar="MODEL",
    ),
]
Local = Annotated[bool, typer.Option("--local", help="Only voters of this node.")]
Detach = Annotated[bool, typer.Option("--detach", help="Print the job id and leave.")]
File = Annotated[
    str | None,
    typer.Option(
        "--file", help='Ask each line, {"prompt": …, "id": …}; - is standard input.', metavar="FILE"
    ),
]
Out = Annotated[
    str | None,
    typer.Option(
        "--out",
        help="With --file: append results here; run again to go on where it ended.",
        metavar="FILE",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]

Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        "--instances",
        help="Processes, each with a model of its own. Several use memory several times; "
        "they help across devices, or where one must not stop the others. [1]",
        metavar="N",
    ),
]
Slots = Annotated[
    str | None,
    typer.Option(
        "--slots",
        help="Seeds that one worker decodes in one batch: the prompt is computed once for all, "
        "and eight give 2 to 3.5 times the tokens of one on a CPU. [8]",
        metavar="N",
    ),
]
Load = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="The model to load: abacus, a .gguf file or a folder in MLX form. [abacus]",
        metavar="MODEL",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option("--engine", help="auto, llamacpp, mlx or scripted. [auto]", metavar="ENGINE"),
]
GpuLayers = Annotated[
    str | None,
    typer.Option(
        "--gpu-layers", help="Layers on the GPU: auto, all or a number. [auto]", metavar="N"
    ),
]
TensorSplit = Annotated[
    str | None,
    typer.Option(
        "--tensor-split",
        help="One worker over all GPUs, each with its share of the layers: auto or 3,1. [auto]",
        metavar="SHARES",
    ),
]
Integrated = Annotated[
    bool | None,
    typer.Option(
        "--integrated/--no-integrated",
        help="Use integrated GPUs too, which are left alone where that seldom pays. [no]",
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        help="Tokens of prompt and answer together: auto or a number. [auto]",
        metavar="N",
    ),
]
Name = Annotated[
    str | None, typer.Option("--name", help="The node's name. [the host's name]", metavar="NAME")
]
Durability = Annotated[
    str | None,
    typer.Option(
        "--durability",
        help="What accepted jobs survive: none, process (the death of any process) or power "
        "(a power cut: an fsync each time). [process]",
        metavar="WHAT",
    ),
]
