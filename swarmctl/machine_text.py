"""The machine, a plan and the doctor's findings as text for people. Pure."""

from itertools import groupby

from detect.doctor import STATES, Check
from detect.facts import Device, Engine, Machine
from detect.placement import Plan, PlannedWorker
from detect.placement.budget import MAIN_MEMORY
from swarmctl.text import PLAIN, Ink, plural, size, table

LABEL_COLUMNS = 9


def machine(m: Machine, columns: int | None, ink: Ink = PLAIN) -> str:
    """What is here, in one screen: system, processors, memory, devices, engines, notes."""
    lines = [
        _row("system", _system(m), ink),
        _row("cpu", _cpu(m), ink),
        _row("memory", _memory(m), ink),
    ]
    lines += [_row("engine", _engine(e), ink) for e in m.engines]
    if not m.engines:
        lines.append(_row("engine", "none that can be used", ink))
    if m.devices:
        head = ("DEVICE", "KIND", "STATE", "FREE", "TOTAL", "BY", "NAME")
        lines.append(table(head, [_device(d) for d in m.devices], columns))
    else:
        lines.append(_row("devices", "no GPU", ink))
    for note in m.notes:
        paint = {"error": ink.red, "warn": ink.yellow}.get(note.grade, ink.dim)
        lines.append(f"{paint(note.grade + ':')} {note.seen}")
        if note.fix:
            lines.append(f"  {ink.dim('hint:')} {note.fix}")
    return "\n".join(lines)


def _row(label: str, text: str, ink: Ink) -> str:
    return f"{ink.dim(label.ljust(LABEL_COLUMNS))} {text}"


def _system(m: Machine) -> str:
    p = m.platform
    parts = [
        p.system,
        p.release,
        p.machine,
        p.python and f"Python {p.python}",
        p.model or "",
        *p.traits,
    ]
    return ", ".join(part for part in parts if part)


def _cpu(m: Machine) -> str:
    c = m.cpu
    parts = [c.name or "unknown processor"]
    if c.logical:
        parts.append(plural(c.logical, "processor"))
    if c.allowed is not None and c.allowed != c.logical:
        parts.append(f"{c.allowed} allowed")
    if c.physical:
        parts.append(plural(c.physical, "core"))
    if c.performance:
        parts.append(f"{c.performance} of them fast")
    if c.quota_cpus is not None:
        parts.append(f"a quota of {c.quota_cpus:g}")
    if len(c.numa) > 1:
        parts.append(plural(len(c.numa), "NUMA node"))
    return ", ".join(parts)


def _engine(e: Engine) -> str:
    build = {True: ", built with GPU support", False: ", built for the CPU", None: ""}[e.gpu]
    return f"{e.name} {e.version or '?'}{build}"


def _memory(m: Machine) -> str:
    memory = m.memory
    text = f"{size(memory.total_bytes)}, {size(memory.headroom_bytes)} may still be taken"
    if memory.limit_bytes is not None:
        text += f", limited to {size(memory.limit_bytes)} by {memory.sources['limit_bytes']}"
    return text


def _device(d: Device) -> tuple[str, ...]:
    memory = (size(d.free_bytes), size(d.total_bytes))
    return (d.label, d.kind, d.state.replace("_", " "), *memory, d.library or "-", d.name)


def plan(p: Plan, model: str, ink: Ink = PLAIN) -> str:
    """What would run and why, then what was refused, each with its sum."""
    lines = []
    for at, worker in enumerate(p.workers):
        lines.append(ink.bold(f"worker {at}: {_worker(worker, model)}"))
    lines += [f"why: {reason}" for reason in p.reasons]
    for one in p.refused:
        lines.append(f"{ink.dim('not:')} {one.what}: {one.why}")
    lines += [f"{ink.yellow('warning:')} {warning}" for warning in p.warnings]
    return "\n".join(lines)


def screen(p: Plan, model: str, refused_max: int) -> list[str]:
    """The same in as few lines as one screen takes: like workers together, not every refusal."""
    alike: dict[str, int] = {}
    for worker in p.workers:
        said = _worker(worker, model)
        alike[said] = alike.get(said, 0) + 1
    lines = [f"plan: {plural(count, 'worker')} of {said}" for said, count in alike.items()]
    lines += [f"why: {reason}" for reason in p.reasons]
    lines += [f"not: {one.what}: {one.why}" for one in p.refused[:refused_max]]
    if more := len(p.refused) - refused_max:
        lines += [f"not: {more} other ways; swarmctl plan lists them"] if more > 0 else []
    return lines


def _worker(w: PlannedWorker, model: str) -> str:
    places = [row.place for row in w.sums if row.place != MAIN_MEMORY and row.weight_bytes]
    where = ", ".join(places or w.devices) or "the CPU"
    layers = "all layers" if w.gpu_layers < 0 else plural(w.gpu_layers, "layer")
    on_gpu = f", {layers} there" if w.devices else ""
    split = (
        f", split {'/'.join(f'{share:g}' for share in w.tensor_split)}" if w.tensor_split else ""
    )
    sizes = f"{plural(w.slots, 'slot')} of {w.context_tokens} tokens"
    return f"{model} ({w.engine}) on {where}{on_gpu}{split}: {sizes}, {plural(w.threads, 'thread')}"


def checks(found: tuple[Check, ...], ink: Ink = PLAIN) -> str:
    """Every check under its group; what is not well comes with the command that mends it."""
    paint = {"ok": ink.green, "warn": ink.yellow, "fail": ink.red}
    lines = []
    ordered = sorted(found, key=lambda check: _group_order(check, found))
    for group, members in groupby(ordered, key=lambda check: check.group):
        lines.append(ink.bold(group))
        for check in members:
            state = paint.get(check.state, ink.dim)(check.state.ljust(7))
            lines.append(f"  {state} {check.name}: {check.seen}")
            if check.fix:
                lines.append(f"          {ink.dim('hint:')} {check.fix}")
    return "\n".join(lines)


def _group_order(check: Check, found: tuple[Check, ...]) -> int:
    return next(at for at, other in enumerate(found) if other.group == check.group)


def summary(found: tuple[Check, ...]) -> str:
    """How many checks ended in which state."""
    counts = {state: sum(check.state == state for check in found) for state in STATES}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
