# One command each, the same on a laptop and in CI. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# A stamp is older than a pin that changed, which is then installed. pip refuses whatever has not one of the hashes there.
$(VENV)/.run: requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11 or later, or say make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) does not run or is older than 3.11: say make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.PHONY: run
run: $(VENV)/.run ## serve on port 4000 (or PORT)
	$(BIN)/gunicorn wsgi:app

.PHONY: doctor
doctor: $(VENV)/.run ## check credentials, region, model access, database and clock
	$(BIN)/flask --app wsgi doctor $(if $(MODEL),--model $(MODEL))

.PHONY: demo
demo: $(VENV)/.dev ## see it work without an AWS account
	$(BIN)/python -m tests.demo

.PHONY: bench
bench: $(VENV)/.dev ## measure it (ARGS="--quick", "--only streams", "--litellm no", "--write", "--help")
	$(BIN)/python -m bench $(ARGS)

.PHONY: soak
soak: $(VENV)/.dev ## half an hour of load, and whether anything grows (SECONDS=1800, ARGS="--database postgresql")
	$(BIN)/python -m bench.soak $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

.PHONY: test
test: $(VENV)/.dev ## run every test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --ignore tests/end_to_end --ignore tests/faults
	$(BIN)/python -m pytest tests/end_to_end tests/faults

# of each fault as much as it takes to believe the outcome; `make test` has a little of each
FAULTS := REPEATS=20 ENDINGS=2 KEPT_ALIVE_CALLS=200 SLOW_READERS=100 SLOW_WRITERS=100 SLOW_KINDS=2 BODY_TIMEOUT=300 IDLE=1000 \
	STREAMS=100 STREAM_SECONDS=20 UPLOADS=100 UPLOAD_SECONDS=15 WAYS_TO_STOP=3 \
	OUTAGE_SECONDS=60 BOUND_MS=2500 DELAY_MS=300 KILLS=20 DISKS=9 LOCKED_SECONDS=20 CREDENTIAL_SOURCES=2

.PHONY: faults
faults: $(VENV)/.dev ## meet every fault in full (ARGS="-k slow"; FAULTS="KILLS=100")
	$(FAULTS:%=FAULT_%) $(BIN)/python -m pytest tests/faults $(ARGS)

$(VENV)/.fuzz: checks/fuzz/requirements.txt $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: fuzz
fuzz: $(VENV)/.fuzz ## feed all that reads strangers' bytes what nobody would send (SECONDS=60 each; ARGS=--write, "--target answers")
	$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60) $(ARGS)

.PHONY: check
check: $(VENV)/.dev ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: format
format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: table
table: $(VENV)/.dev ## make the operations table again from the installed botocore
	$(BIN)/python -m tools.operations_table

# Clients whose own requirements exclude one another's: LiteLLM wants an older openai.
CLIENTS := checks/clients
.venv-clients/.done: $(CLIENTS)/requirements.txt $(CLIENTS)/requirements-litellm.txt
	@test -x .venv-clients/bin/python || $(PYTHON) -m venv .venv-clients
	@test -x .venv-clients/litellm/bin/python || $(PYTHON) -m venv .venv-clients/litellm
	.venv-clients/bin/pip install --quiet --disable-pip-version-check -r $(CLIENTS)/requirements.txt
	.venv-clients/litellm/bin/pip install --quiet --disable-pip-version-check -r $(CLIENTS)/requirements-litellm.txt
	@touch $@

$(CLIENTS)/node_modules/.done: $(CLIENTS)/package.json $(CLIENTS)/package-lock.json
	@command -v npm >/dev/null || { echo "npm not found: install Node.js 20 or later"; exit 1; }
	npm ci --silent --prefix $(CLIENTS)
	@touch $@

.PHONY: clients
clients: $(VENV)/.dev .venv-clients/.done $(CLIENTS)/node_modules/.done ## drive real clients through the gateway (installs 1 GB of them)
	$(BIN)/python -m checks.clients

# What each .in file names goes into the .txt beside it, with all it brings, for every Python from 3.11 on and every
# platform. What is pinned already stays; `make pins ARGS=--upgrade` takes the newest of what the .in files leave open.
# The order matters: the second is held to the first.
PINNED := requirements requirements-dev $(CLIENTS)/requirements $(CLIENTS)/requirements-litellm \
	checks/audit/requirements checks/pins/requirements checks/fuzz/requirements
PIN := .venv-pins/bin/uv pip compile --quiet --no-config --system-certs --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make pins"

.venv-pins/.done .venv-audit/.done: .venv-%/.done: checks/%/requirements.txt
	@test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: pins
pins: .venv-pins/.done ## pin what the .in files name, with hashes (ARGS=--upgrade)
	for each in $(PINNED); do $(PIN) $(ARGS) --output-file $$each.txt $$each.in || exit 1; done

.PHONY: audit
audit: .venv-audit/.done ## look for known holes in what the gateway runs on (asks PyPI)
	@found=$$(.venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt) || { \
		test -z "$$found" && echo "NOT AUDITED: PyPI did not tell of every requirement whether it has known holes" \
			|| echo "$$found"; \
		exit 1; \
	}
