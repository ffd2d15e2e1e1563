# demo   the whole DAG on synthetic records, in a folder of its own: nothing tracked is touched
# repro  the whole DAG on MIT-BIH, from PhysioNet or the mirror that MITDB_MIRROR names; the searches take the longest
# check  lint, types and every quick test, side by side: for each commit
# test   lint, types and all tests; with MITDB_MIRROR also those that need the real records

PYTHON3 ?= python3
VENV := .venv
DEMO := .demo
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# A mirror given as a relative folder must be found from the folders in which experiments and tests run.
absolute = $(if $(wildcard $(1)),$(abspath $(1)),$(1))
export MITDB_MIRROR := $(call absolute,$(MITDB_MIRROR))
export NSTDB_MIRROR := $(call absolute,$(NSTDB_MIRROR))

.PHONY: demo repro lint check test install clean

install: $(INSTALLED)

$(INSTALLED): requirements.txt constraints.txt
	@$(PYTHON3) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, $(PYTHON3) is " + sys.version.split()[0] + "; try make PYTHON3=python3.12")'
	$(PYTHON3) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	$(VENV)/bin/pip check
	@touch $@

demo: install
	@echo "SYNTHETIC demo: made-up records, short fits; the figures say nothing about patients."
	rm -rf $(DEMO)
	git clone --quiet . $(DEMO)
	cd $(DEMO) && dvc exp run --quiet --name demo \
		-S download.source=synthetic -S train.cnn.epochs=4 -S train.rnn.epochs=4 -S tracking.mode=disabled \
		-S train.inter_patient.members=2 -S train.intra_patient.epochs_factor=1.0 -S train.intra_patient.members=2 \
		-S sweeps/cnn.yaml:run_cap=3 -S sweeps/rnn.yaml:run_cap=3
	@cd $(DEMO) && python -m stages.compare --show
	@echo "SYNTHETIC figures lie in $(DEMO)/metrics/, the networks in $(DEMO)/models/."

repro: install
	dvc repro
	@python -m stages.compare --show

lint: install
	ruff check .
	ruff format --check .
	mypy

check: lint
	python -m pytest -q -n auto --dist loadfile -m "not slow"

test: lint
	python -m pytest -n auto --dist loadfile --no-loadscope-reorder

clean:
	rm -rf $(DEMO) $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
