# Two commands matter: `make demo` draws, `make test` tests. Before them: Python 3.11 or later, git, make; no more.
# To be set by hand where wanted: make test VENV=/tmp/venv PYTHON=python3.12

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
VENV ?= .venv
OUT ?= out/demo
TESTS ?= tests

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# The pins were made with Python 3.11; a later one takes what the ranges of pyproject.toml allow.
PINS = $(shell $(BIN)/python -c "import sys; print('-c constraints.txt' if sys.version_info[:2] == (3, 11) else '')")
# These two go first, each by exact version: the package itself is built with the pinned setuptools instead of
# whichever is newest, and of several builds of torch pip takes the pinned one.
BUILD := $(shell grep -E '^setuptools==' constraints.txt)
TORCH := $(shell grep -E '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help demo studio test check bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| grep -E '^[a-z]+:.*##' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "telldraw needs Python 3.11 or later; name one with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.drawing: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing telldraw into $(VENV): about half a minute"
	@$(INSTALL) $(BUILD)
	@$(INSTALL) $(PINS) --no-build-isolation -e .
	@touch $@

$(VENV)/.developing: $(VENV)/.drawing
	@echo "installing what training, tests and checks need: as long as PyTorch takes to download"
	@$(INSTALL) $(TORCH)
	@$(INSTALL) $(PINS) --no-build-isolation -e '.[train,export,test,lint]'
	@touch $@

# The studio's page is tested in a real browser. Where none can be installed, those tests skip and say so.
$(VENV)/.browser: | $(BIN)/python
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
		command -v apt-get >/dev/null && test "$$(id -u)" = 0 && echo "installing Chromium for the tests of the page" && \
		{ apt-get install -y -qq chromium || { apt-get update -qq && apt-get install -y -qq chromium; }; } >/dev/null 2>&1; \
	} || echo "there is no Chromium, and it cannot be installed: the tests of the page will be skipped"
	@touch $@

demo: $(VENV)/.drawing ## draw a scene of five turns with the shipped weights
	@mkdir -p $(OUT)
	$(BIN)/telldraw draw --seed 7 --out $(OUT)/scene.png --sheet $(OUT)/turns.png --animate $(OUT)/turns.gif \
		"Add a red cube at the center" \
		"Add a cyan sphere behind it on the left" \
		"Add a yellow cylinder in front of the red cube on the right" \
		"Add a purple sphere on the left of it" \
		"Add a green cube behind the yellow cylinder on the right"
	@echo "the scene: $(OUT)/scene.png    its five turns: $(OUT)/turns.png, $(OUT)/turns.gif"

studio: $(VENV)/.drawing ## draw by telling, in a browser
	$(BIN)/telldraw studio

test: $(VENV)/.developing $(VENV)/.browser ## run all tests (make test TESTS=tests/test_lpips.py for one file)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TESTS)

check: $(VENV)/.developing ## what CI checks: format, lint, types
	$(BIN)/ruff format --check src tests benchmarks recipes docs/gallery
	$(BIN)/ruff check src tests benchmarks recipes docs/gallery
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/.developing ## time everything that has a floor to be compared with
	@for script in benchmarks/[a-z]*.py; do echo; echo "== $$script"; $(BIN)/python $$script || echo "(stopped)"; done

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build src/telldraw.egg-info
