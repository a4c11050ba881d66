# The verbs of the house. `make` alone lists them.
#   make demo TORCH=torch==2.13.0+cpu    takes another build of torch (a requirement or a wheel's path)
PYTHON ?= python3
TORCH ?=
PORT ?= 8000
DATA ?= data
VENV := .venv
# A person sees pip at work; CI reads only what fails.
QUIET := $(if $(CI),-q,)
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev web demo test check fix python-tests web-tests browser wheel dev bench screenshots docs clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/.ready web ## install everything that running needs, without running

setup-dev: $(VENV)/.ready-dev web

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing; install it: apt-get install python3 python3-venv"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make setup PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "venv is missing; install it: apt-get install python3-venv"; exit 2; }
	@command -v git >/dev/null || { echo "git is missing; install it: apt-get install git"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# Another torch than the pinned one must not meet the pin.
$(VENV)/.ready: pyproject.toml constraints.txt | $(VENV)/bin/python
	@if [ -n "$(TORCH)" ]; then grep -v '^torch==' constraints.txt > $(VENV)/constraints.txt; else cp constraints.txt $(VENV)/constraints.txt; fi
	@if [ -n "$(TORCH)" ]; then echo "installing $(TORCH)"; $(BIN)/pip install $(QUIET) --disable-pip-version-check -c $(VENV)/constraints.txt "$(TORCH)"; fi
	@echo "installing psyllm and what it stands on (one to ten minutes, most of it download)"
	$(BIN)/pip install $(QUIET) --disable-pip-version-check -c $(VENV)/constraints.txt -e .
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "installing what checks and tests need"
	$(BIN)/pip install $(QUIET) --disable-pip-version-check -c $(VENV)/constraints.txt -e ".[dev]"
	@touch $@

web: | $(VENV)/.ready
	@web/build.sh

demo: setup ## set up, turn the circle on the starter corpus, serve at http://127.0.0.1:8000
	@runs/circle.sh --data $(DATA)
	@$(BIN)/psyllm serve --data $(DATA) --port $(PORT)

test: setup-dev programs check web-tests python-tests ## set up and pass every check and test (what CI runs)

check: $(VENV)/.ready-dev ## format, lint, types, import contracts, dead code, dependencies
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry src

fix: $(VENV)/.ready-dev ## mend what the formatters can mend
	$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .
	web/build.sh --npm run fix

web-tests: setup-dev
	web/build.sh --npm run check

# Two processes, a file of tests stays in one, the browser's come last; their models are too small for threads.
python-tests: setup-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# $(call debian,PROGRAM,PACKAGES): as root a missing program is installed from Debian; in CI it must be there.
define debian
@command -v $(1) >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q --no-install-recommends $(2); } >/tmp/psyllm-$(1).log 2>&1 || \
  { echo "$(1) is missing; install it: apt-get install $(2)"; [ -z "$(CI)" ]; }
endef

programs: # tests need a browser, and Redis for crawls on many machines
	$(call debian,chromium,chromium fonts-noto-cjk)
	$(call debian,redis-server,redis-server)

wheel: setup-dev ## build the wheel with the web app inside: dist/
	$(BIN)/python -m build --wheel --no-isolation

dev: setup-dev ## serve with the web app rebuilt on change at http://127.0.0.1:5173
	@$(BIN)/psyllm serve --data $(DATA) --port $(PORT) & trap 'kill %1' EXIT; web/build.sh --npm run dev

bench: setup-dev ## run every benchmark; each prints a table
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

screenshots: setup-dev programs ## pictures of every page on a phone and a desktop: screenshots/
	$(BIN)/python runs/screenshots.py

docs: $(VENV)/.ready-dev ## write the generated pages of docs/ again
	$(BIN)/python docs/generate.py

clean: ## remove what was built (never data/)
	rm -rf $(VENV) dist build web/node_modules src/psyllm/serve/static
