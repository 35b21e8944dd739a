# make demo | make test | make test-all | make fuzz | make check
# VENV=… puts the environment elsewhere; TORCH_INDEX=URL takes torch from another index, such as
# https://download.pytorch.org/whl/cpu, the smaller build without CUDA.
# JOBS=N runs tests in N processes, each on one core; by default as many as there are cores, at most 8.
# A process that crashes is not replaced: the scheduler may wait for the new one for ever.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= $(shell $(PYTHON) -c "import os; print(min(8, os.cpu_count() or 1))")
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(shell cksum < setup.cfg | cut -d' ' -f1)

.DEFAULT_GOAL := demo
.PHONY: demo test test-all fuzz check ready clean

demo: ready
	$(BIN)/python run_benchmark.py

PYTEST = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart 0 --durations 10

test: ready
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-all: ready
	$(PYTEST) $(PYTEST_ARGS)

# Thousands of mutated files for every reader; `make test` reads a few.
fuzz: ready
	LOWLABEL_FUZZ=$${LOWLABEL_FUZZ:-3000} $(BIN)/python -m pytest -m fuzz $(PYTEST_ARGS)

# Types are checked as a user's type checker sees them: on the wheel, not on the folders.
check: ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	site=$$(mktemp -d) && trap 'rm -rf "$$site"' EXIT \
	&& $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$$site" . \
	&& $(BIN)/python -m pip install --quiet --no-deps --target "$$site/lib" "$$site"/*.whl \
	&& MYPYPATH="$$site/lib" $(BIN)/mypy --config-file setup.cfg -p lowlabel

# An editable install belongs to one clone: an environment that several share is pointed at this one.
ready: $(INSTALLED)
	@test "$$(cat $(VENV)/.clone 2>/dev/null)" = "$(CURDIR)" || { \
	echo "pointing $(VENV) at this clone" \
	&& $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable . \
	&& echo "$(CURDIR)" > $(VENV)/.clone; }

$(INSTALLED): setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip "setuptools>=77" wheel
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install torch torchvision --index-url $(TORCH_INDEX))
	$(BIN)/python -m pip install --no-build-isolation --editable ".[test,dev]"
	rm -f $(VENV)/.installed-*
	echo "$(CURDIR)" > $(VENV)/.clone
	touch $@

clean:
	rm -rf .venv build dist src/*.egg-info
