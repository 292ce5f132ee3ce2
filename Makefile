# Every target sets up what it needs in .venv, once: a stamp file there is renewed when pyproject.toml or
# constraints.txt changes. Nothing outside this folder is touched.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
DIR ?= kinema-demo
WORKERS ?= 2
# Left out are what the others import, and those that want a folder as an argument.
BENCH ?= $(filter-out %/record.py %/sets.py %/footage.py %/film.py %/untouched_files.py %/soak.py \
	%/labels.py %/steps.py %/archive.py %/long_video.py %/memory.py %/hapt.py %/hapt_people.py \
	%/segmentation_sets.py %/thermal.py %/mocap_people.py %/mocap_words.py %/mocap_qa.py %/hashing_sets.py \
	%/hashing_floors.py %/text_floors.py %/answer_floors.py %/video_qa.py %/mocap_answers.py, \
	$(sort $(wildcard benchmarks/*.py benchmarks/data/*.py)))
PYTEST_ARGS ?=
TORCH_INDEX ?=
PYTHON ?= python3.11 python3.12 python3.13 python3 python

PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --quiet \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt
INPUTS := pyproject.toml constraints.txt
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev
# As many processes as WORKERS, a file's tests in one of them; a thread each, so that they don't stand in one another's way.
test test-slow: export OMP_NUM_THREADS ?= 1
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: help demo test test-slow check format bench docs clean

help: ## What there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUN_READY) ## The whole job on the data set that ships, into kinema-demo (DIR=… for another folder)
	$(BIN)/kinema demo "$(DIR)"

test: $(DEV_READY) ## The fast tests (PYTEST_ARGS='tests/mining -x' to narrow them, WORKERS=… at a time)
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

test-slow: $(DEV_READY) ## The tests that take minutes
	$(PYTEST) -m slow $(PYTEST_ARGS)

check: $(DEV_READY) ## Lint, formatting and types; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV_READY) ## Mend what the linter and the formatter can mend themselves
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV_READY) ## Every benchmark, hours on two cores (BENCH=benchmarks/NAME.py for one)
	@test -n "$(BENCH)" || { echo "There is no benchmark in benchmarks/." >&2; exit 1; }
	for benchmark in $(BENCH); do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

docs: $(DEV_READY) ## The site, into site/, and that links, commands and code blocks of all pages are sound
	$(BIN)/python -m pytest -m "not slow" tests/docs $(PYTEST_ARGS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "The site: site/index.html; with its search: $(BIN)/python -m http.server -d site"

clean: ## Remove caches and build outputs; .venv, runs and data stay
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(DEV_READY): $(INPUTS) | $(BIN)/pip
	@echo "Installing into $(VENV): minutes the first time"
	$(PIP_INSTALL) -e '.[dev]'
	touch $(RUN_READY) $@

$(RUN_READY): $(INPUTS) | $(BIN)/pip
	@echo "Installing into $(VENV): minutes the first time"
	$(PIP_INSTALL) -e .
	touch $@

# The order-only prerequisite above is pip and not python: venv writes it last, so a half-made .venv is made anew.
$(BIN)/pip:
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	      echo "$$python has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; continue; fi; \
	    echo "Setting up $(VENV) with $$python ($$("$$python" --version))"; \
	    exec "$$python" -m venv --clear $(VENV); fi; \
	done; \
	echo "kinema needs Python 3.11 or later with its venv module; none was found as: $(PYTHON)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python3.11 …" >&2; exit 1
