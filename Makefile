# The only front door. Every target sets up what it needs, once; a second run works offline.
#   make app     the workbench in the browser          make lab        the notebooks
#   make test    everything that is checked            make bench      speed, as ratios
#   make kills   a training killed 50 times            make slurm      runs on a real Slurm
#   make ray     runs on a real Ray
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
ARGS ?=

# The name of a stamp holds a checksum of what was installed: a new pin installs again, a mere
# checkout or a second call (also without network) does nothing.
RUN_KEY := $(shell (cat requirements.txt constraints.txt; sed '/^\[tool.ruff\]/,$$d' pyproject.toml) | cksum | cut -d' ' -f1)
DEV_KEY := $(shell cat requirements.txt constraints.txt requirements-dev.txt | cksum | cut -d' ' -f1)
RUN_STAMP := $(VENV)/.installed-$(RUN_KEY)
DEV_STAMP := $(VENV)/.installed-dev-$(DEV_KEY)
PIP := $(PY) -m pip install --disable-pip-version-check --quiet --constraint constraints.txt

.PHONY: help app test kills slurm ray setup setup-dev lint fix types check browser lab notebooks bench clean
.DEFAULT_GOAL := help

help:
	@sed -n '1,/^PYTHON/s/^# \{0,1\}//p' Makefile

app: setup
	@$(PY) -m workbench app $(ARGS)

test: setup-dev browser lint types
	@$(PY) -m pytest -n 2 --dist loadfile $(ARGS)

kills: setup-dev
	@$(PY) -m tests.runs.kills $(ARGS)

slurm: setup-dev
	@sh .ci/provide_slurm
	@$(PY) -m pytest -m slow tests/slurm $(ARGS)

ray: setup-dev
	@PY=$(PY) sh .ci/provide_ray $(VENV)/ray
	@PATH="$$PATH:$(CURDIR)/$(VENV)/ray/bin" $(PY) -m pytest -m slow tests/ray_jobs $(ARGS)

setup: $(RUN_STAMP)
setup-dev: $(RUN_STAMP) $(DEV_STAMP)

$(PY):
	@PYTHON="$(PYTHON)" sh .ci/make_venv $(VENV)

$(RUN_STAMP): | $(PY)
	@echo "Installing the workbench into $(VENV) (once, several minutes and GB: PyTorch is large) ..."
	@$(PIP) --requirement requirements.txt --editable .
	@rm -f $(VENV)/.installed-[0-9]* && touch $@

$(DEV_STAMP): | $(RUN_STAMP)
	@echo "Installing what the tests need ..."
	@$(PIP) --requirement requirements-dev.txt
	@rm -f $(VENV)/.installed-dev-* && touch $@

# Browser tests are never skipped: a missing Chromium is provided here or the run fails.
browser: setup-dev
	@PY=$(PY) sh .ci/provide_chromium

lint: setup-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

fix: setup-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup-dev
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

# JupyterLab refuses root unless told; as elsewhere, it listens on this machine only.
ROOT_TOO := $(if $(filter 0,$(shell id -u)),--allow-root)
lab: setup
	@$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/01_what_is_a_mask.ipynb $(ROOT_TOO) \
		--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate $(ARGS)

# Write the .ipynb files again from their percent sources.
notebooks: setup-dev
	@$(PY) -m notebooks.build $(ARGS)

# Speed and memory; what trains for hours (objectives.py, missingness.py) is started by its name.
BENCHES := browser engine explain imports inside interactive lab layer_masking masks preflight search studio training
bench: setup-dev browser
	@failed=; for name in $(BENCHES); do echo "== $$name"; $(PY) benchmarks/$$name.py || failed="$$failed $$name"; \
		done; [ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
