# Two commands do all the set-up themselves: `make demo` and `make test`. Everything goes into .venv and .local.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
# set-up runs again when the content of these files changes, not when their dates do
KEY := $(shell cat requirements-dev.txt local/host/requirements.txt local/azurite/package-lock.json | cksum | tr -s ' ' -)
READY := $(VENV)/.ready-$(KEY)
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
# a worker is a process with an Azurite of its own; files stay together (tests/conftest.py), and the longest come first;
# many tests wait for a clock, so there are more workers than processors; the unit tests wait for nothing and have two
LONGEST := tests/property tests/app tests/web tests/faults/test_crash_points.py tests/local/test_soak.py tests/performance tests/structure tests/infra
WORKERS := -n 4 --dist loadscope --no-loadscope-reorder
# the unit tests that make nothing up (no Hypothesis) run every branch of the core and of validation
COVER := --cov=shared.core --cov=shared.validation --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

# every process would compile the project anew where the environment forbids bytecode
export PYTHONDONTWRITEBYTECODE :=

LOCK := $(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-header

.PHONY: help setup demo run test bench soak api infra package sbom lock clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

setup: $(READY) ## install everything into .venv and .local (the other commands do it when needed)

demo: $(READY) ## play the whole scene once, on real parts
	@$(PY) -m local demo $(ARGS)

run: $(READY) ## bring the stack up and leave it up; ARGS='--port 0' and more: python -m local run --help
	@$(PY) -m local run $(ARGS)

test: $(READY) ## lint, types, imports, tests; ARGS='tests/unit -k ledger' for some of them
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-logo >.local/imports.txt || { cat .local/imports.txt; exit 1; }
	@$(PY) -m mypy .
ifdef ARGS
	@$(PY) -m pytest $(WORKERS) $(ARGS)
else
	@$(PY) -m pytest -n 2 $(COVER) -m 'table' tests/unit
	@$(PY) -m pytest $(WORKERS) -m 'not table' $(LONGEST) tests
endif

bench: $(READY) ## measure; BENCH=name for one of the tables
	@$(PY) -m bench $(BENCH) $(ARGS)

soak: $(READY) ## many drops and orders under faults; ends with the count of what was lost or done twice
	@$(PY) -m local soak $(ARGS)

api: $(READY) ## write the OpenAPI document and the connector anew, from the models and tables
	@$(PY) -m local.api

infra: $(READY) ## write the names that infra/ shares with the code anew
	@$(PY) -m local.infra

package: $(READY) ## build what is deployed: .local/package/app.zip, and the folder that azd takes
	@$(PY) -m local.package $(ARGS)

sbom: $(READY) ## list what is deployed, with hashes, as CycloneDX: .local/sbom.json
	@$(VENV)/bin/cyclonedx-py requirements requirements.txt --output-format JSON --output-file .local/sbom.json
	@echo "wrote .local/sbom.json"

lock: $(READY) ## write requirements*.txt anew from the ranges in requirements*.in; ARGS=--upgrade takes newer versions
	$(LOCK) --python-version 3.11 $(ARGS) requirements.in -o requirements.txt
	$(LOCK) --python-version 3.11 $(ARGS) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	$(LOCK) --python-version 3.13 --no-deps $(ARGS) local/host/requirements.in -o local/host/requirements.txt

clean: ## remove what the other commands made
	rm -rf $(VENV) .local .python_packages .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY):
	@set -e; \
	for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if "$$python" -c '$(FITS)' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$${found:-}" ]; then \
	  echo "Python 3.11, 3.12 or 3.13 is needed ($(or $(PYTHON),python3) is not one of them); name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	  exit 1; \
	fi; \
	rm -f $(VENV)/.ready-*; \
	{ $(PY) -c '$(FITS)' && $(PY) -m pip --version >/dev/null; } 2>/dev/null || "$$found" -m venv --clear $(VENV); \
	echo "installing into $(VENV) and .local ..."; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	$(PY) -m pip install --quiet --require-hashes -r requirements-dev.txt; \
	$(PY) -m pip install --quiet --require-hashes --no-deps --ignore-requires-python -r local/host/requirements.txt; \
	$(PY) -m local.azurite; \
	touch $@
