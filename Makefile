# The one door: the same targets run here and in continuous integration.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

# The package has no default for the public data sets; beside this checkout they lie here.
HEMASCOPE_DATA ?= $(wildcard $(abspath ../shared/data))
export HEMASCOPE_DATA

ifdef UV
# uv has its own name for a folder of wheels that pip was told of.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
MAKE_VENV := uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
INSTALL := uv pip install --quiet --python $(BIN)/python -c constraints.txt
else
MAKE_VENV := $(PYTHON) -m venv $(VENV)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
endif

.PHONY: help demo test test-all check format bench clean

help:  ## Show the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /' | column -t -s ':' 2>/dev/null || true

$(BIN)/python:
	@echo "making the environment in $(VENV)"
	@$(MAKE_VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing hemascope"
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing what development needs (torch among it)"
	@$(INSTALL) -e '.[train,scverse,dev]'
	@touch $@

demo: $(VENV)/.installed  ## Paint a smear, analyze it, and write demo/report/report.html.
	@test -d demo/smear || $(BIN)/hemascope data synthesize --out demo/smear --fields 12 --seed 7
	@$(BIN)/hemascope analyze demo/smear/images --out demo/report

test: $(VENV)/.installed-dev  ## Run the fast tests.
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(VENV)/.installed-dev  ## Run every test.
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

check: $(VENV)/.installed-dev  ## Lint, types, import contracts.
	@$(BIN)/ruff check src tests docs
	@$(BIN)/ruff format --check src tests docs
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.installed-dev  ## Put the code into shape.
	@$(BIN)/ruff check --fix src tests
	@$(BIN)/ruff format src tests

bench: $(VENV)/.installed-dev  ## Run every benchmark and write docs/benchmarks.md from what they found.
	@test -n "$(HEMASCOPE_DATA)" || { echo "set HEMASCOPE_DATA to the folder of the public data sets"; exit 2; }
	@for name in detection segmentation classification; do \
		$(BIN)/hemascope bench $$name --json docs/benchmarks/$$name.json --pictures runs/mistakes || exit 1; done
	@if ls runs/*-fold-*/model/model.json >/dev/null 2>&1; then \
		$(BIN)/hemascope bench detection --folds runs --json docs/benchmarks/detection_folds.json || exit 1; fi
	@$(BIN)/hemascope bench speed --large --json docs/benchmarks/speed.json
	@$(BIN)/hemascope bench redcells $(if $(wildcard runs/*/answers.json),--folds runs) --json docs/benchmarks/redcells.json
	@$(BIN)/hemascope bench report --split all --json docs/benchmarks/report.json
	@$(BIN)/hemascope bench conformal --json docs/benchmarks/conformal.json
	@$(BIN)/hemascope bench attributes $(addprefix --encoder ,hemascope-s+descriptors descriptors hemascope-s) \
		--json docs/benchmarks/attributes.json
	@$(BIN)/hemascope bench fewshot $(addprefix --encoder ,$(wildcard runs/cell_encoder_pbc/model) descriptors) \
		--json docs/benchmarks/fewshot.json
	@$(BIN)/hemascope bench transfer $(addprefix --encoder ,$(wildcard runs/cell_transfer_pbc/model) descriptors) \
		--json docs/benchmarks/transfer.json
	@$(BIN)/hemascope bench blasts --encoder hemascope-s --encoder descriptors --json docs/benchmarks/blasts.json
	@$(BIN)/hemascope bench encoders --encoder hemascope-s --split val --json docs/benchmarks/encoders.json
	@$(BIN)/hemascope bench generative $(addprefix --encoder ,$(wildcard runs/cell_encoder_pbc/model runs/cell_transfer_pbc/model) \
		$(addsuffix .looks,$(wildcard runs/cell_without_*/encoder_without_*))) --json docs/benchmarks/generative.json
	@$(BIN)/hemascope bench synthetic --json docs/benchmarks/synthetic.json
	@$(BIN)/hemascope bench counterfactuals --split val --json docs/benchmarks/counterfactuals.json
	@$(BIN)/hemascope bench shortcuts --json docs/benchmarks/shortcuts.json
	@$(BIN)/hemascope bench cohorts --json docs/benchmarks/cohorts.json
	@$(BIN)/hemascope bench malaria --recipe recipes/malaria.toml --json docs/benchmarks/malaria.json
	@$(BIN)/hemascope bench bag-speed --json docs/benchmarks/bag_speed.json
	@$(BIN)/hemascope bench diffusion-cost --json docs/benchmarks/diffusion_cost.json
	@$(BIN)/hemascope bench leukemia --recipe recipes/hmscam_cpu.toml --runs runs/leukemia --json docs/benchmarks/leukemia.json
	@$(BIN)/python -m hemascope.app.benchmark_page docs/benchmarks

clean:  ## Remove what was made here, but not the environment.
	@rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
