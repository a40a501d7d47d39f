"""Every command and every Python example of the documentation runs.

Blocks fenced as ``sh`` hold commands: those of ``genrm`` are run, in a folder that holds ``examples/``, in the order
of the page; a line that ends with ``# exit N`` must leave with N. Blocks fenced as ``python`` are executed, page by
page, in one namespace. Set-up commands (make, pip, git) are checked against a closed list, so that no new kind of
command goes untested by accident.
"""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from genrm.cli import app
from genrm.errors import GenrmError
from genrm.rewards import shaping

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "rubrics" / "README.md", ROOT / "examples" / "README.md"]
)
SETUP = ("make ", "pip install ", "python -m venv", "git clone ", "cd ")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands(page: Path) -> list[str]:
    lines = [line for body in blocks(page, "sh") for line in body.replace("\\\n", " ").splitlines()]
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def run(command: str) -> None:
    command, _, comment = command.partition(" # exit ")
    wanted = int(comment) if comment else 0
    pipeline = [shlex.split(part) for part in command.split(" | ")]
    text = ""
    for words in pipeline:
        if words[0] == "cat":
            text = "".join(Path(name).read_text(encoding="utf-8") for name in words[1:])
            continue
        if words[0] == "head":
            text = "".join(text.splitlines(keepends=True)[: int(words[1].lstrip("-n"))])
            continue
        target = None
        if ">" in words:
            target, words = words[words.index(">") + 1], words[: words.index(">")]
        assert words[0] == "genrm", f"no test knows how to run {command!r}"
        result = CliRunner().invoke(app, words[1:], input=text)
        code = 2 if isinstance(result.exception, GenrmError) else result.exit_code
        assert code == wanted, f"{command}\n{result.output}\n{result.exception!r}"
        text = result.stdout
        if target:
            Path(target).write_text(text, encoding="utf-8")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(ROOT / "rubrics", tmp_path / "rubrics")
    monkeypatch.chdir(tmp_path)
    # A page may register shapes; they are gone after it.
    monkeypatch.setattr(shaping, "_SHAPES", dict(shaping.shapes()))
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page, workplace):
    found = commands(page)
    for command in found:
        if not command.startswith(SETUP):
            run(command)
    assert all(isinstance(command, str) for command in found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run(page, workplace):
    namespace: dict[str, object] = {"__name__": "docs"}
    for number, body in enumerate(blocks(page, "python"), 1):
        code = compile(body, f"{page.name}, python block {number}", "exec")
        exec(code, namespace)
    assert "__builtins__" in namespace or not blocks(page, "python")


def test_the_readme_shows_the_two_commands():
    found = commands(ROOT / "README.md")
    assert "make demo" in found
    assert "make test" in found
