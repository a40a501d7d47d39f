# Two commands do everything on a fresh clone: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
PIP := $(BIN)/pip --disable-pip-version-check

.PHONY: help setup demo lint typecheck test test-full bench tiny-train tiny-eval clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/installed-local: requirements/local.txt requirements/torch.sh pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	sh requirements/torch.sh $(BIN)/python
	$(PIP) install --quiet -r requirements/local.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/installed-dev: requirements/dev.txt requirements/api.txt $(VENV)/installed-local
	$(PIP) install --quiet -r requirements/dev.txt -r requirements/api.txt
	touch $@

$(VLLM)/installed: requirements/vllm.txt requirements/vllm.sh requirements/torch.sh pyproject.toml
	sh requirements/vllm.sh $(PYTHON) $(VLLM)
	touch $@

setup: $(VENV)/installed-dev  ## install everything that development needs into .venv

demo: $(VENV)/installed-local  ## judge the example responses with the embedded judge
	mkdir -p out
	$(BIN)/genrm judge examples/tutor.jsonl --rubric examples/tutor.yaml --model tiny --votes 3 \
		--output out/demo.jsonl --restart --show 8

lint: $(VENV)/installed-dev  ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/installed-dev  ## mypy --strict on the package
	$(BIN)/mypy

test: lint typecheck  ## everything that every change must pass
	$(BIN)/pytest -m "not full" --cov=genrm --cov-report=term:skip-covered

test-full: lint typecheck $(VLLM)/installed  ## test, and the slower and heavier checks
	$(BIN)/pytest --cov=genrm --cov-report=term:skip-covered
	$(VLLM)/bin/pytest -m vllm tests/engines

bench: $(VENV)/installed-dev  ## run every benchmark and print its table
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

tiny-train: $(VENV)/installed-dev  ## train the embedded judge anew (hours)
	for seed in 0 1 2; do \
		$(BIN)/python -m training.tiny.train --seed $$seed --out out/tiny/seed$$seed --compile || exit 1; \
	done

tiny-eval: $(VENV)/installed-dev  ## reproduce every figure of the embedded judge's model card (DATA=folder with gsm8k/)
	$(BIN)/python -m training.tiny.evaluate --n 400 $(if $(DATA),--data $(DATA))

clean:  ## remove the environment and everything that was generated
	rm -rf $(VENV) $(VLLM) out build dist .mypy_cache .pytest_cache .ruff_cache .coverage
