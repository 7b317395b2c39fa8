"""Roster, tally and verdict as text for people. Pure: no terminal is asked anything here."""

from collections import Counter

from protocol import messages as m
from swarmctl.asjson import winner_text
from swarmctl.text import PLAIN, Ink, pad, plural, safe, safe_text, seconds, shorten, size, table

KINDS = {
    "number": "numbers",
    "choice": "choices",
    "json": "JSON",
    "label": "labels",
    "latex": "formulas",
    "tool": "tool calls",
    "literal": "literals",
    "code": "code",
    "text": "prose",
}
"""Answer types as people say them."""

WHY_COLUMNS = 120
"""Of what a check printed last: enough of an assertion to tell which."""

ANSWER_COLUMNS = 40
"""Of an answer in a line of votes: enough to tell answers apart."""


def answer(v: m.Verdict) -> str | None:
    """What `submit` prints on stdout: the answer that won; of prose, its whole text."""
    if v.outcome != "decided":
        return None
    return winner_text(v) if v.answer_type == "text" else v.answer


def progress(p: m.Progress, ink: Ink = PLAIN) -> str:
    """One vote as it comes in, and how the count stands with it."""
    count = f"{p.cast} of {p.asked} in"
    if p.leader is not None:
        count += f", {shorten(p.leader, ANSWER_COLUMNS)} leads with {p.leader_votes}"
    return f"{vote(p.vote, ink)}  {ink.dim(f'({count})')}"


def vote(v: m.VoteRecord, ink: Ink = PLAIN) -> str:
    """One vote: its answer, and who gave it."""
    shown = "no answer" if v.answer is None else ink.bold(shorten(v.answer, ANSWER_COLUMNS))
    model = shorten(v.model, ANSWER_COLUMNS)
    where = f"seat {v.seat}  seed {v.seed}  {v.worker} {model}  {seconds(v.time_s)}"
    return f"  {shown}  {ink.dim(where)}"


def tried(seat: int, passed: bool, why: str, ink: Ink = PLAIN) -> str:
    """What the user's check said of one vote."""
    if passed:
        return f"  seat {seat} {ink.green('passed the check')}"
    return f"  seat {seat} {ink.yellow('failed the check')}: {shorten(why, WHY_COLUMNS)}"


def verdict(v: m.Verdict, ink: Ink = PLAIN) -> str:
    """How clear it was, why it stopped, and what that saved."""
    lines = [_outcome(v, ink)]
    lines.append(f"  {_counts(v)}" if v.passed else f"  {_counts(v)}; {safe_text(v.stopped)}")
    kind = ", ".join(part for part in (v.answer_type, v.mode) if part)
    cost = f"{plural(v.tokens, 'token')} in {seconds(v.time_s)}"
    saved = f"; {plural(v.cancelled, 'seat')} not needed" if v.cancelled else ""
    lines.append(ink.dim(f"  {kind}: {cost}{saved}" if kind else f"  {cost}{saved}"))
    if seeds := _seeds(v):
        lines.append(ink.dim(f"  {seeds}"))
    lines += [ink.yellow("note: ") + safe_text(note) for note in v.notes]
    return "\n".join(lines)


def _outcome(v: m.Verdict, ink: Ink) -> str:
    if v.outcome == "decided" and v.passed:
        return f"{ink.green('decided')}: {safe_text(v.stopped)}"
    if v.outcome == "decided":
        votes = sum(vote.answer is not None for vote in v.votes)
        share = f"{_for_it(v)} of {plural(votes, 'vote')} ({v.agreement:.0%})"
        return f"{ink.green('decided')} by {share}, {v.margin} ahead{_sure(v)}"
    leaders = Counter(vote.answer for vote in v.votes if vote.answer is not None).most_common(3)
    said = ", ".join(f"{shorten(text, ANSWER_COLUMNS)} ×{count}" for text, count in leaders)
    return f"{ink.yellow(v.outcome)}: {said or 'no votes'}"


def _sure(v: m.Verdict) -> str:
    """How often such a share was right, where that was ever measured."""
    if v.confidence is None:
        return ""
    kind = KINDS.get(v.answer_type, v.answer_type)
    return f"; right about {100 * v.confidence:.0f} times in 100 for {kind}"


def _for_it(v: m.Verdict) -> int:
    return sum(vote.answer == v.answer for vote in v.votes)


def _counts(v: m.Verdict) -> str:
    """k of n, and never a silent shortfall."""
    names = ("abstained", "declined", "lost", "cancelled")
    rest = [f"{getattr(v, name)} {name}" for name in names if getattr(v, name)]
    return ", ".join([f"{v.cast} of {plural(v.asked, 'vote')} cast", *rest])


def _seeds(v: m.Verdict) -> str:
    for_it = [str(vote.seed) for vote in v.votes if vote.answer == v.answer]
    if v.answer is None or not for_it:
        return ""
    return f"seeds for it: {' '.join(for_it)}"


def batch_line(question: str | int, v: m.Verdict | None) -> str:
    """One question of a file: id, answer, share of the votes; tab-separated. None: refused."""
    shown = answer(v) if v else None
    answered = shorten(shown, 200) if shown is not None else ""
    return f"{safe(str(question))}\t{answered}\t{v.agreement if v else 0:.2f}"


def batch(ends: Counter[str], why: Counter[str], there: int, ink: Ink = PLAIN) -> str:
    """How a file of questions ended, and why some have no verdict; `there`: results from before."""
    said = ", ".join(f"{count} {end}" for end, count in ends.most_common())
    known = f"; {there} already answered" if there else ""
    lines = [f"{plural(ends.total(), 'question')} asked" + (f": {said}" if said else "") + known]
    lines += [f"  {ink.yellow(f'{count} ×')} {safe_text(reason)}" for reason, count in why.items()]
    return "\n".join(lines)


def status(r: m.NodeReport, columns: int | None, ink: Ink = PLAIN) -> str:
    """The node, its jobs, its workers, its peers."""
    state = ink.yellow("draining") if r.draining else ink.green("up")
    node = f"{r.node.name}  {state} {seconds(r.node.uptime_s)}  version {r.node.version}"
    lost = f", {plural(r.jobs.lost_votes, 'vote')} lost" if r.jobs.lost_votes else ""
    jobs = f"{r.jobs.running} running, {r.jobs.queued} queued, {r.jobs.done} done{lost}"
    lines = [
        f"{node}  process {r.node.pid}",
        f"jobs     {jobs}",
        f"address  {r.node.address}",
        *(ink.yellow("note: ") + safe_text(note) for note in r.notes),
        "",
        workers(r, columns, ink),
    ]
    if r.peers:
        lines += ["", peers(r, columns)]
    return "\n".join(lines)


WORKER_HEAD = (
    "WORKER", "STATE", "MODEL", "ENGINE", "BUSY", "TOKENS/S", "MEMORY", "VOTES", "PROCESS", "WHY",
)  # fmt: skip


def workers(r: m.NodeReport, columns: int | None, ink: Ink = PLAIN) -> str:
    """One line a worker; where the terminal's edge cuts what is wrong with one, it follows."""
    if not r.workers:
        return "no worker: swarmctl scale 1"
    rows = [
        (
            w.id,
            w.state,
            w.model or "-",
            w.engine or "-",
            f"{w.busy}/{w.slots}",
            "-" if w.tokens_per_s is None else f"{w.tokens_per_s:.0f}",
            size(w.memory_bytes),
            str(w.votes),
            "-" if w.pid is None else str(w.pid),
            _why(w),
        )
        for w in r.workers
    ]
    shown = _headed(table(WORKER_HEAD, rows, columns), ink)
    cut = [w for w in r.workers if w.reason and " ".join(safe_text(w.reason).split()) not in shown]
    wrong = [f"{ink.yellow(f'{w.id} {w.state}:')} {safe_text(w.reason)}" for w in cut]
    return "\n".join([shown, *(wrong if columns else [])])


def _why(w: m.WorkerReport) -> str:
    restarts = f"started {w.restarts + 1} times" if w.restarts else ""
    return "; ".join(part for part in (w.reason, restarts, *w.notes) if part)


def peers(r: m.NodeReport, columns: int | None) -> str:
    """One line a peer."""
    rows = [
        (
            p.name,
            p.state,
            f"{p.busy}/{p.slots}",
            "-" if p.latency_ms is None else f"{p.latency_ms:.0f} ms",
            "-" if p.success is None else f"{p.success:.0%}",
            seconds(p.last_seen_s),
            ", ".join(p.models),
        )
        for p in r.peers
    ]
    return table(("PEER", "STATE", "BUSY", "LATENCY", "SUCCESS", "SEEN", "MODELS"), rows, columns)


def changes(before: dict[str, str], r: m.NodeReport) -> tuple[dict[str, str], list[str]]:
    """What to say of workers whose state is another one than before, and their states now."""
    now: dict[str, str] = {w.id: w.state for w in r.workers}
    fresh = [w for w in r.workers if before.get(w.id) != w.state]
    lines = [line for w in fresh for line in (_news(w), *_loud(w))]
    lines += [f"{worker} has left" for worker in before if worker not in now]
    return now, lines


LOUD = ("ERROR: ", "WARN: ", "out of memory", "killed by")
"""How notes begin that nobody should have to look for: an idle GPU, a worker made smaller."""


def _loud(w: m.WorkerReport) -> list[str]:
    return [f"  {w.id}: {note}" for note in w.notes if note.startswith(LOUD)]


def _news(w: m.WorkerReport) -> str:
    if w.state == "alive":
        speed = f", {w.tokens_per_s:.0f} tokens/s" if w.tokens_per_s is not None else ""
        return f"READY {w.id}: {w.model} on {w.engine}, {plural(w.slots, 'slot')}{speed}"
    return f"{w.id} {w.state}" + (f": {w.reason}" if w.reason else "")


JOB_HEAD = ("JOB", "STATE", "VOTES", "AGE", "ANSWER", "PROMPT")


def jobs(listed: m.JobList, columns: int | None, ink: Ink = PLAIN) -> str:
    """One line a job, the newest first."""
    rows = [
        (
            row.job,
            row.outcome or row.state,
            f"{row.cast}/{row.asked}",
            seconds(row.age_s),
            shorten(row.answer or "-", 20),
            row.prompt,
        )
        for row in listed.jobs
    ]
    more = f"\n… and {listed.more} more" if listed.more and columns else ""
    return _headed(table(JOB_HEAD, rows, columns), ink) + more


def job(r: m.JobReport, ink: Ink = PLAIN) -> str:
    """One job's life, in the order in which it happened."""
    s = r.submit
    lines = [
        f"{ink.bold(r.job)}  {r.state}",
        f"  asked    {shorten(s.prompt, 100)}",
        f"           {plural(s.votes, 'vote')}, temperature {s.temperature:g}, "
        f"answer {s.answer}, stop {s.stop}, timeout {seconds(s.timeout_s)}",
    ]
    lines += [f"  {pad(moment, 9)}{said}" for moment, said in _life(r)]
    if r.verdict:
        lines.append(verdict(r.verdict, ink))
    return "\n".join(lines)


def _life(r: m.JobReport) -> list[tuple[str, str]]:
    """Each seat's coming and going, by time; those that never had a voter come last.

    Of one millisecond: seats are given, votes come in, the verdict is given, the rest is recalled.
    """
    votes = {vote.seat: vote for vote in r.verdict.votes} if r.verdict else {}
    happened = [("0.000", 0, "accepted")]
    never: list[tuple[str, str]] = []
    for seat in r.seats:
        name = f"seat {seat.seat} (seed {seat.seed})"
        again = f", attempt {seat.attempts}" if seat.attempts > 1 else ""
        if seat.seated_s is not None:
            said = f"{name} -> {seat.worker or 'nobody'}{again}"
            happened.append((f"{seat.seated_s:.3f}", 1, said))
        if seat.ended_s is not None:
            said = f"{name} {_end(seat, votes.get(seat.seat))}"
            happened.append((f"{seat.ended_s:.3f}", 4 if seat.state == "cancelled" else 2, said))
        elif seat.seated_s is None:
            never.append(("-", f"{name} {seat.state} {seat.reason}".rstrip()))
    if r.verdict:
        said = f"verdict: {r.verdict.outcome}, {r.verdict.stopped}"
        happened.append((f"{r.verdict.time_s:.3f}", 3, said))
    happened.sort(key=lambda item: (float(item[0]), item[1]))
    return [(f"{moment} s", said) for moment, _, said in happened] + never


def _end(seat: m.SeatReport, vote: m.VoteRecord | None) -> str:
    if vote is not None and vote.answer is not None:
        return f"voted {shorten(vote.answer, ANSWER_COLUMNS)}, {plural(vote.tokens, 'token')}"
    return f"{seat.state}: {seat.reason}" if seat.reason else seat.state


def settings(rows: list[tuple[str, str, str]], columns: int | None, ink: Ink = PLAIN) -> str:
    """Each setting's name, value and where it came from."""
    return _headed(table(("SETTING", "VALUE", "FROM"), rows, columns), ink)


def _headed(text: str, ink: Ink) -> str:
    head, _, rest = text.partition("\n")
    return ink.dim(head) + ("\n" + rest if rest else "")
