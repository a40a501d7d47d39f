"""What people see at the end of a run: the first rows with their critiques, then the summary.

    >>> console.print(rows_table(rows)); console.print(summary_view(summary))                # doctest: +SKIP

Ids, labels and critiques come from models and data, so control characters in them are shown, never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from genrm.batch.progress import clock, short
from genrm.batch.summary import Spread, Summary, wilson

MAX_CRITIQUE = 280
MAX_CRITERIA = 8
"""Criteria in a table; the output file has all of them."""

_BARS = "▁▂▃▄▅▆▇█"
# C0 and C1 controls, and the marks that turn the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str, limit: int | None = None) -> str:
    """Text that is safe on a terminal, on one line, cut to ``limit`` characters."""
    text = _CONTROL.sub("\ufffd", " ".join(text.split()))
    return text if limit is None or len(text) <= limit else text[: limit - 1].rstrip() + "…"


def rows_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Output rows as a table: id, reward, and for each criterion its label and critique."""
    table = Table(box=None, show_lines=False, padding=(0, 2, 0, 0), header_style="bold", expand=True)
    table.add_column("id", max_width=10, overflow="fold")
    table.add_column("reward", justify="right", no_wrap=True)
    table.add_column("criterion", max_width=16, overflow="fold")
    table.add_column("label", max_width=14, overflow="fold")
    table.add_column("critique", ratio=1, overflow="fold")
    for row in rows:
        if table.row_count:
            table.add_row()
        for index, cells in enumerate(_row_lines(row)):
            head = (plain(row["id"], 40), _reward(row)) if index == 0 else ("", "")
            table.add_row(Text(head[0]), head[1], *cells)
    return table


def _row_lines(row: Mapping[str, Any]) -> Iterator[tuple[Text, Text, Text]]:
    criteria = list(row["criteria"].items())
    for name, result in criteria[:MAX_CRITERIA]:
        error = result.get("error")
        said = (
            _error(error) if result["status"] == "failed" else Text(plain(result.get("critique") or "", MAX_CRITIQUE))
        )
        for mark in _marks(result):
            said.append(f" [{mark}]", style="yellow")
        yield Text(plain(name)), Text(plain(result["label"] or "–", 40)), said
    if len(criteria) > MAX_CRITERIA:
        yield Text(f"… {len(criteria) - MAX_CRITERIA} more", style="dim"), Text(""), Text("")
    if not criteria:
        yield Text("–"), Text("–"), _error(row["error"])


def _marks(result: Mapping[str, Any]) -> Iterator[str]:
    if result.get("checked") == "disagree":
        yield "code disagrees"
    if result.get("in_domain") is False:
        yield "outside the judge's domain"


def _error(error: Mapping[str, Any] | None) -> Text:
    return Text("" if error is None else plain(f"{error['category']}: {error['message']}", MAX_CRITIQUE), style="red")


def _reward(row: Mapping[str, Any]) -> Text:
    if row["reward"] is None:
        return Text("none", style="red")
    spread = f" ±{row['reward_std']:.2f}" if row["reward_std"] is not None else ""
    return Text(f"{row['reward']:.2f}{spread}")


def summary_view(summary: Summary) -> RenderableType:
    """The summary for people; figures with their 95 % intervals and n."""
    lines: list[RenderableType] = [_headline(summary)]
    if summary.no_reward:
        lines.append(Text(f"without a reward  {summary.no_reward:,}", style="red"))
    if summary.errors:
        lines.append(Text("errors  " + " · ".join(f"{name} {n:,}" for name, n in summary.errors.most_common())))
    if summary.reward.n:
        lines += [Text(""), _reward_line(summary.reward), _histogram(summary)]
    if summary.criteria:
        lines += [Text(""), _criteria_table(summary)]
    panel = summary.panel.row()
    if panel:
        lines += [Text(""), _panel_table(panel), *map(Text, _panel_facts(panel))]
    facts = list(_facts(summary))
    if facts:
        lines += [Text(""), *map(Text, facts)]
    return Group(Text(""), *lines, Text(""))


def _headline(summary: Summary) -> Text:
    parts = [f"{summary.rows:,} rows"]
    if summary.resumed:
        parts.append(f"{summary.resumed:,} of them from before")
    parts += [f"{summary.statuses[name]:,} {name}" for name in ("ok", "partial", "failed") if summary.statuses[name]]
    rate = f" ({summary.rows_per_s:.1f} rows/s)" if summary.rows_per_s else ""
    parts.append(clock(summary.wall_s) + rate)
    tokens = summary.usage["prompt_tokens"] + summary.usage["completion_tokens"]
    parts.append(f"{short(tokens)} tokens")
    if summary.cost_usd is not None:
        parts.append(f"{summary.cost_usd:.4f} USD")
    return Text(" · ".join(parts), style="bold")


def _reward_line(reward: Spread) -> Text:
    interval = "" if reward.interval is None else " [{:.3f}, {:.3f}]".format(*reward.interval)
    std = "" if reward.std is None else f" · std {reward.std:.3f}"
    return Text(
        f"reward  mean {reward.mean:.3f}{interval}{std} · {reward.min:.2f} to {reward.max:.2f} · n {reward.n:,}"
    )


def _histogram(summary: Summary) -> Text:
    most = max(summary.histogram)
    bars = "".join(
        "· " if not count else _BARS[round(count / most * (len(_BARS) - 1))] + " " for count in summary.histogram
    )
    outside = "".join(
        f" · {count:,} {side}" for side, count in (("below 0", summary.below), ("above 1", summary.above)) if count
    )
    return Text(f"        0 {bars}1{outside}   (most in a tenth: {most:,})")


def _criteria_table(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("criterion", overflow="fold", max_width=24)
    for name in ("score ≥ 0.5", "95 %", "mean", "n", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, criterion in list(summary.criteria.items())[:MAX_CRITERIA]:
        n = criterion.scores.n
        rate = (
            (f"{criterion.passed / n:.1%}", "[{:.1%}, {:.1%}]".format(*wilson(criterion.passed, n))) if n else ("–", "")
        )
        mean = f"{criterion.scores.mean:.3f}" if n else "–"
        table.add_row(Text(plain(name)), *map(Text, (*rate, mean, f"{n:,}", f"{criterion.failed:,}")))
    if len(summary.criteria) > MAX_CRITERIA:
        table.caption = Text(f"… {len(summary.criteria) - MAX_CRITERIA} more (--json has all)", style="dim")
        table.caption_justify = "left"
    return table


def _panel_table(panel: Mapping[str, Any]) -> Table:
    """By criterion and member: the estimated accuracy, and how its errors go with those of each other member."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("criterion", "member"):
        table.add_column(name, max_width=24, overflow="fold")
    table.add_column("accuracy (est.)", justify="right")
    for number in range(1, len(panel["members"]) + 1):
        table.add_column(f"r with {number}", justify="right")
    for criterion, found in list(panel["criteria"].items())[:MAX_CRITERIA]:
        for number, (name, line) in enumerate(zip(panel["members"], found["correlation"], strict=True)):
            cells = ["" if other == number else "–" if r is None else f"{r:.2f}" for other, r in enumerate(line)]
            head = plain(criterion, 40) if number == 0 else ""
            member = f"{number + 1} {plain(name, 40)}"
            table.add_row(Text(head), Text(member), f"{found['accuracy'][number]:.3f}", *cells)
    return table


def _panel_facts(panel: Mapping[str, Any]) -> Iterator[str]:
    for name, found in list(panel["criteria"].items())[:MAX_CRITERIA]:
        size = found["effective_size"]
        worth = "" if size is None else f"; worth {size:.1f} independent members"
        best, own = found["best_accuracy"], found["majority_accuracy"]
        gain = "" if best is None or own is None else f" (estimated {own:.3f} right, weighted {best:.3f})"
        said = "majority is the best rule" if found["majority_optimal"] else f"weighted votes would do better{gain}"
        yield f"{plain(name, 40)}: {said}{worth}, n {found['n']:,}"


def _facts(summary: Summary) -> Iterator[str]:
    if hits := summary.usage["cache_hits"]:
        yield f"answers from the cache: {hits:,}"
    if summary.agreement.n:
        yield f"agreement of votes {summary.agreement.mean:.3f}"
    if summary.checked:
        yield f"re-checked in code: {summary.checked['agree']:,} agree, {summary.checked['disagree']:,} disagree"
    if summary.closed:
        yield f"critiques closed at their budget: {summary.closed:,}"
    if summary.out_of_domain:
        yield f"rows outside the judge's domain: {summary.out_of_domain:,}"
