"""What is public, what an import loads, and what a wheel carries."""

import subprocess
import sys

import pytest

import genrm

HEAVY = {"torch", "transformers", "vllm", "litellm", "outlines", "llguidance", "sympy", "pyarrow", "pandas", "ray"}


def modules_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return {name.split(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import genrm",
        "import sys; sys.argv = ['genrm', '--help']\n"
        "try:\n import genrm.cli; genrm.cli.main()\nexcept SystemExit: pass",
    ],
    ids=["import", "help"],
)
def test_no_heavy_package_is_loaded(statement):
    loaded = modules_after(statement)
    assert "genrm" in loaded
    assert not loaded & HEAVY


def test_import_alone_loads_no_pydantic_and_no_numpy():
    assert not modules_after("import genrm") & {"pydantic", "numpy", "yaml", "typer", "rich"}


def test_every_public_name_resolves_and_is_listed():
    for name in genrm.__all__:
        assert getattr(genrm, name) is not None
    assert set(genrm.__all__) <= set(dir(genrm))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Jugde'"):
        _ = genrm.Jugde
