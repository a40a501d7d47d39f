"""The table of the model card, from ``results.json``.

    python -m training.tiny.card

rewrites what stands between the two markers of ``genrm/tiny/MODEL_CARD.md``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from scipy.stats import beta

START, STOP = "<!-- figures -->", "<!-- end of figures -->"
HERE = Path(__file__).parent
CARD = HERE.parents[1] / "genrm" / "tiny" / "MODEL_CARD.md"


def interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact (Clopper-Pearson) interval of a share."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return low, high


def _share(hits: int, n: int) -> str:
    return f"{hits / n:.3f}" if n else "-"


def _spread(results: dict, variant: str, name: str, field: str = "accuracy") -> str:
    values = [
        rows[name][field] for model, rows in sorted(results.items()) if model.endswith("-" + variant) and name in rows
    ]
    if len(values) < 2:
        return "-"
    return f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def table(results: dict, variant: str) -> str:
    """One row per set: seed 0 with its interval, errors apart, the re-check, the baseline, and all seeds."""
    rows = results.get(f"seed0-{variant}", {})
    seeds = sum(model.endswith("-" + variant) for model in results)
    lines = [
        "| set | n | accuracy (95 % interval) | wrong accepted | right rejected | checked | baseline "
        f"| mean (range) of {seeds} seed(s) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        low, high = interval(row["right"], row["n"])
        check = f"{row['checked']['accuracy']:.3f}" if "baseline" in row else "-"
        base = f"{row['baseline']['accuracy']:.3f}" if "baseline" in row else "-"
        accepted = _share(row["false_accepts"], row["negatives"])
        rejected = _share(row["false_rejects"], row["positives"])
        lines.append(
            f"| {name} | {row['n']} | {row['accuracy']:.3f} ({low:.3f}–{high:.3f}) | {accepted} | {rejected} "
            f"| {check} | {base} | {_spread(results, variant, name)} |"
        )
    return "\n".join(lines)


def key_table(results: dict) -> str:
    """How often each master key is accepted, by both siblings, over all seeds."""
    lines = ["| response | default: accepted | unhardened: accepted |", "|---|---|---|"]
    counts: dict[str, dict[str, list[int]]] = {}
    for model, rows in results.items():
        variant = model.split("-")[1]
        for name in ("master keys", "other degenerates"):
            for key, (right, n) in rows.get(name, {}).get("parts", {}).items():
                label = key if name == "master keys" else "the 40 others together"
                wrong, total = counts.setdefault(label, {}).get(variant, [0, 0])
                counts[label][variant] = [wrong + n - right, total + n]
    for label, by in counts.items():
        cells = []
        for variant in ("default", "unhardened"):
            wrong, total = by.get(variant, [0, 0])
            low, high = interval(wrong, total) if total else (0.0, 1.0)
            cells.append(f"{wrong} of {total} ({low:.3f}–{high:.3f})" if total else "-")
        lines.append(f"| {label if 'others' in label else f'`{label}`'} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def write_card(results_file: Path, card: Path) -> None:
    """Put the tables between the markers."""
    results = json.loads(results_file.read_text())
    figures = "\n\n".join([
        START, "Seed 0, `default`:", table(results, "default"), "Seed 0, `unhardened`:", table(results, "unhardened"),
        "Degenerate responses, all seeds:", key_table(results), STOP,
    ])  # fmt: skip
    text = card.read_text() if card.exists() else f"{START}\n{STOP}\n"
    card.write_text(re.sub(f"{START}.*{STOP}", lambda _: figures, text, flags=re.S))


if __name__ == "__main__":
    write_card(HERE / "results.json", CARD)
