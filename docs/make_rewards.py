"""Write the part of docs/rewards.md that describes every rule, aggregate, shape and control, from the code itself.

python docs/make_rewards.py
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from genrm.rewards.catalogue import Row, catalogue
from genrm.rewards.controls import CONTROLS
from genrm.rewards.shaping import Shape, shapes

PAGE = Path(__file__).parent / "rewards.md"
BEGIN, END = "<!-- generated: begin -->\n", "<!-- generated: end -->\n"
TITLES = {
    "identity": "One score by itself",
    "reference": "Against other scores of the prompt",
    "group": "Inside a group",
    "verified": "Beside a verifier",
    "length": "Length",
    "steps": "Steps",
    "risk": "Cost, risk and doubt",
}
FIRST = (
    (
        "vote",
        "Voting rules",
        "Several votes on a criterion become one score: `vote: {n: 5, rule: majority}`. See [voting.md](voting.md).",
    ),
    (
        "aggregate",
        "Aggregates",
        "The scores of several criteria become one: `reward: {aggregate: NAME}`. s is a criterion's score, w its "
        "weight; g is 1 − s for a fault (w below 0), else s. More in [aggregation.md](aggregation.md).",
    ),
)


def described(shape: Shape) -> str:
    call = f"{shape.function.__module__}.{shape.function.__name__}({', '.join(shape.inputs)})"
    lines = [
        f"### {shape.name}",
        "",
        shape.summary,
        "",
        f"![{shape.name}](plots/{shape.name}.svg)",
        "",
        f"- Formula: `{shape.formula}`",
        *([f"- Paper: *{shape.paper}*"] if shape.paper else []),
        f"- Works on: {', '.join(shape.needs)}. Python: `{call}`",
        f"- When something is missing: {shape.missing}",
    ]
    if shape.parameters:
        lines += ["", "| parameter | default | range | meaning |", "|---|---|---|---|"]
    for parameter in shape.parameters:
        name, _, rest = str(parameter).partition(" = ")
        default = rest.partition(" in ")[0]
        choices = parameter.range.replace(" | ", ", ")
        lines.append(f"| `{name}` | {default} | {choices} | {parameter.meaning} |")
    return "\n".join([*lines, ""])


def entry(row: Row) -> str:
    """A voting rule or an aggregate."""
    lines = [
        f"### {row['name']}",
        "",
        row["summary"],
        "",
        f"![{row['name']}](plots/{row['name'].replace(':', '_')}.svg)",
        "",
        f"- Formula: `{row['formula']}`",
        *([f"- Paper: *{row['paper']}*"] if row["paper"] else []),
        f"- Works on: {', '.join(row['needs'])}." + (f" Python: `{row['python']}`" if row["python"] else ""),
        f"- When something is missing: {row['missing']}",
    ]
    if row["parameters"]:
        lines += ["", "| parameter | default | range | meaning |", "|---|---|---|---|"]
    for parameter in row["parameters"]:
        default = "needed" if parameter["default"] is None else parameter["default"]
        choices = parameter["range"].replace(" | ", ", ")
        lines.append(f"| `{parameter['name']}` | {default} | {choices} | {parameter['meaning']} |")
    return "\n".join([*lines, ""])


def generated() -> str:
    """The generated part of the page, without the marks around it."""
    sections: dict[str, list[Shape]] = {}
    for shape in shapes().values():
        sections.setdefault(shape.function.__module__, []).append(shape)
    rows = catalogue()
    parts = []
    for kind, title, rule in FIRST:
        parts += [f"## {title}\n", rule + "\n", *(entry(row) for row in rows if row["kind"] == kind)]
    for module, entries in sections.items():
        name = module.rpartition(".")[2]
        rule = (import_module(module).__doc__ or "").rpartition("\n\n")[2].strip()
        # What a module's docstring says last is about all its functions; from reStructuredText to Markdown.
        rule = re.sub(r":\w+:`[\w.]*?(\w+)`", r"`\1`", rule).replace("``", "`")
        parts += [f"## {TITLES[name]}\n", *([rule + "\n"] if ">>>" not in rule else []), *map(described, entries)]
    parts += [
        "## Control rewards\n",
        "What a run with the real reward has to beat. They have the signature of `genrm.RewardFunction`.\n",
        "| control | reward | formula | when something is missing | paper |\n|---|---|---|---|---|",
        *(f"| `{c.__name__}` | {c.summary} | `{c.formula}` | {c.missing} | *{c.paper}* |" for c in CONTROLS.values()),
        "",
        "The same six completions of one prompt under each of them:\n",
        *(f"![control: {name}](plots/control_{name}.svg)\n" for name in CONTROLS),
    ]
    return "\n".join(parts)


def page(text: str) -> str:
    """The page with its generated part renewed.

    Raises:
        ValueError: the marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}\n{generated()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
