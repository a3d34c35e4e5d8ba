# Two commands do everything from a fresh clone: `make run` and `make test`. The rest is for those who change the code.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help setup run ui test test-slow month check format lock gallery benchmarks benchmarks-peers browser
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

setup: $(INSTALLED) ## Create the virtual environment from requirements.lock

$(INSTALLED): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "fitgap needs Python 3.11 to 3.13, got " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $(INSTALLED)

run: setup ## Set up, then train VGG16 and MobileNetV2 on the embedded digits and compare them
	$(BIN)/python -m src.train -m model=vgg16,mobilenet

ui: setup ## Look at everything that was tracked
	$(BIN)/mlflow ui

test: setup ## Set up, then pass the tests
	$(BIN)/python -m pytest -n 3 --dist loadscope -m "not slow"

test-slow: setup ## Pass the few tests that take a minute each
	$(BIN)/python -m pytest -n 3 --dist loadscope -m slow

month: setup ## Live through a compressed month of scheduled sweeps in which something goes wrong each night; ten minutes or twenty
	$(BIN)/python -m tests.month --nights 30

browser: ## Install Chromium, in which tests look at MLflow's pages; needs Debian or Ubuntu, and root
	command -v chromium || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation; }

check: setup ## Lint, check the format and the types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## Choose versions anew; needs uv
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock

gallery: setup ## Write pages of invented sweeps into gallery/, to look at after a change of the page
	$(BIN)/python -m tests.page.gallery gallery

benchmarks: setup ## Measure what the README claims; takes half an hour and wants a quiet machine
	$(BIN)/python -m benchmarks.start
	$(BIN)/python -m benchmarks.augmentation
	$(BIN)/python -m benchmarks.precision
	$(BIN)/python -m benchmarks.features
	$(BIN)/python -m benchmarks.views
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.large_folder
	$(BIN)/python -m benchmarks.tracking
	$(BIN)/python -m benchmarks.slots
	$(BIN)/python -m benchmarks.threads
	$(BIN)/python -m benchmarks.turnaround
	$(BIN)/python -m benchmarks.pruning
	$(BIN)/python -m benchmarks.trials
	$(BIN)/python -m benchmarks.report

benchmarks-peers: setup ## Measure fitgap beside its peers into docs/benchmarks.md; hours, makes environments of its own
	$(BIN)/python -m benchmarks.peers --rounds 5 --profile --write docs/benchmarks.md
