# Every command of this project. `make up` and `make test` work alone on a fresh Linux machine.
PYTHON ?= python3
STACK  ?= local
IN     := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help environment ready doctor check up down destroy preview drift test test-lab smoke user status shell load report drill plan prove bench lint lock

help:          ## this list
	@grep -hE '^[a-z-]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

environment:
	@$(PYTHON) ops/bootstrap.py

up: ready environment  ## install, build or take from cache, start the lab, deploy stack STACK (local), print the endpoint and an answer
	@$(IN) -m ops.up --stack $(STACK) $(if $(REFRESH),--refresh) $(if $(YES),--yes) $(ARGS)

ready:
	@$(PYTHON) ops/doctor.py --stack $(STACK) > /dev/null

doctor:                ## what keeps `make up` from working: on this machine; with STACK=dev in the account and the cluster
	@$(PYTHON) ops/doctor.py --stack $(STACK)
	@$(if $(filter-out local,$(STACK)),$(MAKE) -s environment && $(IN) -m ops.prerequisites --stack $(STACK))

down: environment      ## destroy stack local, stop the lab, check that nothing is left
	@$(IN) -m ops.down --stack $(STACK) $(if $(FORCE),--force)

destroy: environment   ## take stack STACK down in order, look for what is left (CONFIRM, KEEP_MODEL, CLUSTER_GONE); ARGS: python -m ops.teardown --help
	@$(IN) -m ops.teardown --stack $(STACK) $(if $(CONFIRM),--confirm $(CONFIRM)) $(if $(KEEP_MODEL),--keep-model) $(if $(CLUSTER_GONE),--cluster-gone) $(ARGS)

check: environment     ## every mistake in the settings of stack STACK, within a second; asks and starts nothing
	@$(IN) -m ops.check --stack $(STACK)

preview: environment   ## show what `up` would change
	@$(IN) -m ops.preview --stack $(STACK)

drift: environment     ## what differs from what was deployed, autoscalers' differences apart; status 7 when something does
	@$(IN) -m ops.drift --stack $(STACK) $(ARGS)

images: environment    ## which digests the tags of the stack's images have now, and the settings that fix them
	@$(IN) -m ops.images --stack $(STACK)

sbom: environment      ## what the stack runs and was deployed with, as CycloneDX JSON; ARGS="--output sbom.json"
	@$(IN) -m ops.sbom --stack $(STACK) $(ARGS)

smoke: environment     ## ask the running endpoint for one prediction
	@$(IN) -m ops.smoke --stack $(STACK)

user: environment      ## give user NAME of the endpoint of stack STACK a password (REMOVE=1: remove the user)
	@$(IN) -m ops.htpasswd $(NAME) --stack $(STACK) $(if $(REMOVE),--remove)

status: environment    ## what runs, where, since when, how much memory; which tools, from where; ALL=1: every lab of this machine
	@$(IN) -m lab status $(if $(ALL),--all)

shell: environment     ## a shell in which pulumi, kubectl and curl work against the lab
	@$(IN) -m lab shell

load: environment      ## predictions at the rate of PROFILE (tutorial), or QPS, recorded; ARGS: python -m ops.load --help
	@$(IN) -m ops.load --stack $(STACK) $(if $(PROFILE),--profile $(PROFILE)) $(if $(QPS),--qps $(QPS)) $(ARGS)

report: environment    ## the last run (or RUN, or the live stack: LIVE=seconds) in figures, as an HTML page and as JSON
	@$(IN) -m ops.report $(RUN) --stack $(STACK) $(if $(LIVE),--live $(LIVE)) $(ARGS)

drill: environment     ## lose all preemptible nodes under load; verdict and figures; ARGS: python -m ops.drill --help
	@$(IN) -m ops.drill $(KIND) --stack $(STACK) $(ARGS)

plan: environment      ## which pool and HPA settings keep the promise at the least cost; ARGS: python -m ops.plan --help
	@$(IN) -m ops.plan $(ARGS)

test: environment      ## what the program promises, on every rung (ten to fifteen minutes); TESTS=tests/unit: only these
	@$(IN) -m ops.test $(TESTS)

test-lab: environment  ## the lab's own tests: its doubles against what they stand for, its tool chain
	@$(IN) -m ops.test --lab $(TESTS)

prove: environment     ## show by number what the project promises: make prove ITEM=A3
	@$(IN) -m ops.acceptance $(ITEM)

bench: environment     ## timings, as ratios in one run; PEERS=1: against OpenTofu and kubectl; ARGS="--daily", "--full --cold"
	@$(IN) -m ops.bench $(if $(PEERS),--peers) $(ARGS)

lint: environment      ## ruff, pyright, import-linter; actionlint and zizmor for the workflows
	@$(IN) -m ruff check . && $(IN) -m ruff format --check . && $(IN) -m pyright
	@.venv/bin/lint-imports --no-cache
	@.venv/bin/actionlint -shellcheck= -pyflakes= && .venv/bin/zizmor --offline --persona pedantic --quiet --no-progress .github

lock: environment      ## write the lock files from the pins in requirements*.txt (UPGRADE=1: newest of what is not pinned)
	@$(IN) -m ops.requirements $(if $(UPGRADE),--upgrade)
