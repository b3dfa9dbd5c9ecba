# Two commands: `make run` and `make test`. Both need Python 3.11 or newer and nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test bench lint format install install-dev lock

# Python of the environment; an absolute address, because paths may hold spaces.
PY := "$(CURDIR)/.venv/bin/python"
ARGS ?=
PYTEST_ARGS ?=

# The newest Python on this machine that will do. `make run PYTHON=/path/to/python3` picks another.
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3.14 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)
endif

help:
	@echo "make run     start everything here, with a demo (make run ARGS=--tour walks through it)"
	@echo "make test    lint, types, import contracts, the whole test suite with coverage"
	@echo "make bench   the benchmarks"
	@echo "make lint    only lint and types;  make format  rewrites the code"

run: install
	@exec $(PY) manage.py up $(ARGS)

test: install-dev lint
	@cd "$(CURDIR)" && $(PY) -m circuitos.local.testing --production $(PY) manage.py makemigrations --check --dry-run
	@cd "$(CURDIR)" && $(PY) -m circuitos.local.testing --production $(PY) manage.py check --deploy --fail-level WARNING
	@rm -f .coverage .coverage.*
	@$(PY) -m pytest -n 2 --cov --cov-report=term $(PYTEST_ARGS)

lint: install-dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -c "from importlinter.cli import lint_imports_command as run; run()"

format: install-dev
	@$(PY) -m ruff check --fix-only .
	@$(PY) -m ruff format .

bench: install-dev
	@$(PY) -m benchmarks $(ARGS)

install:
	@if [ -z "$(PYTHON)" ]; then echo "CircuitOS needs Python 3.11 or newer; none is on the PATH. Install it, or say make run PYTHON=/path/to/python3." >&2; exit 1; fi
	@"$(PYTHON)" circuitos/local/install.py requirements.lock

install-dev:
	@if [ -z "$(PYTHON)" ]; then echo "CircuitOS needs Python 3.11 or newer; none is on the PATH. Install it, or say make test PYTHON=/path/to/python3." >&2; exit 1; fi
	@"$(PYTHON)" circuitos/local/install.py requirements-dev.lock

# Only after a change of pyproject.toml, and with the oldest Python that is supported (PYTHON=… before the
# environment is made), so that its own needs are in it. The files hold names, versions and hashes, no address.
lock: install-dev
	@$(PY) -m piptools compile -q --generate-hashes --allow-unsafe --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --strip-extras -o requirements.lock pyproject.toml
	@$(PY) -m piptools compile -q --generate-hashes --allow-unsafe --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --strip-extras --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
