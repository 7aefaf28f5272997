# Every target does its own set-up; nothing is asked of the machine but Python 3.11, make and package registries.
PYTHON ?= python3
BIN := .venv/bin
# Twice the processors: half of the time a worker waits for a server.
WORKERS ?= 4
# How much of what has no end `make torture` runs: "full" or a multiple of what `make test` does.
TORTURE ?= full
SEEDS ?= 500
OPERATIONS ?= 20000
TORTURES ?= tests/crash tests/torture tests/property tests/fuzz
# How many seconds `make fuzz` spends on each target.
FUZZ ?= 300

EXTRAS := media,speech,demo,metrics,web,test,lint

.PHONY: help demo test torture fuzz test-in-docker lint servers mails bench bench-service soak screenshots constraints clean

help: ## show this
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/demo.stamp ## a story on an embedded mail server, with nothing to set up
	$(BIN)/syncengine demo

test: lint servers mails ## all checks and all tests, on real mail servers (CI runs this)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

torture: .venv/test.stamp servers ## every kill point, every octet cut, many seeds: hours; TORTURE=20 SEEDS=50 are shorter
	TORTURE=$(TORTURE) SIMULATOR_SEEDS=$(SEEDS) SYNCENGINE_TORTURE=$(OPERATIONS) \
		$(BIN)/pytest -n $(WORKERS) --dist worksteal --timeout 0 $(TORTURES) $(ARGS)

fuzz: .venv/test.stamp ## octets from outside against every reader of them, led by what the code does; FUZZ=20 is shorter
	$(BIN)/pip install -q -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz $(FUZZ) $(TARGETS)

test-in-docker: ## the same, as root in a Debian container that has all servers
	docker run --rm --privileged -v "$(CURDIR):/checkout:ro" -v syncengine-tests:/root/.cache/syncengine-tests \
		python:3.11-bookworm bash -c 'mkdir /work && cd /work && tar -C /checkout --exclude=.venv --exclude=.cache -c . \
		| tar -x && make test'

lint: .venv/test.stamp ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy tests/support tests/conftest.py

servers: ## get the real mail servers and the browser for the tests
	@tests/support/setup/servers.sh

mails: .venv/test.stamp ## get real mails for the tests, out of packages that ship some
	@tests/support/setup/mails.sh

bench: .venv/test.stamp servers ## speed beside mbsync, OfflineIMAP and interimap; ARGS="--only small" is one row of it
	@tests/support/setup/peers.sh
	$(BIN)/python -m tests.bench $(ARGS)

bench-service: .venv/test.stamp servers ## ten thousand mailboxes in one process, twenty minutes; ARGS="--mailboxes 1000" is shorter
	$(BIN)/python -m tests.bench.service $(ARGS)

soak: .venv/test.stamp ## 300,000 changes through one service: does anything grow? An hour or two; ARGS="--changes 20000"
	$(BIN)/python -m tests.bench.service.soak $(ARGS)

screenshots: .venv/test.stamp servers ## the pictures of the pages in docs/images
	$(BIN)/python -m tests.support.screenshots

constraints: ## remake constraints.txt from the newest versions that fit together
	rm -rf .cache/constraints
	$(PYTHON) -m venv .cache/constraints
	.cache/constraints/bin/pip install -q -e '.[$(EXTRAS),fuzz]'
	@{ sed '/^[^#]/d' constraints.txt; .cache/constraints/bin/pip freeze --exclude-editable --exclude voicemail-syncengine; } \
		> .cache/constraints.txt
	mv .cache/constraints.txt constraints.txt
	rm -rf .cache/constraints

clean: ## remove what the targets above made in this checkout
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/test.stamp: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[$(EXTRAS)]'
	@touch .venv/demo.stamp $@

.venv/demo.stamp: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e '.[demo]'
	@touch $@
