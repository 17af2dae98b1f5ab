# Every command of this project. `make up` and `make test` work alone on a fresh Linux machine.
PYTHON ?= python3
STACK  ?= local
RUN    := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help environment ready doctor up down preview test smoke status shell prove bench lint docs

help:          ## this list
	@grep -hE '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

environment:
	@$(PYTHON) ops/bootstrap.py

up: ready environment  ## install, build or take from cache, start the lab, deploy stack STACK (local), print the endpoint and an answer
	@$(RUN) -m ops.up --stack $(STACK)

ready:
	@$(if $(filter local,$(STACK)),$(PYTHON) ops/doctor.py > /dev/null)

doctor:                ## what on this machine keeps `make up` from working
	@$(PYTHON) ops/doctor.py

down: environment      ## destroy stack local, stop the lab, check that nothing is left
	@$(RUN) -m ops.down --stack $(STACK) $(if $(FORCE),--force)

preview: environment   ## show what `up` would change
	@$(RUN) -m ops.preview --stack $(STACK)

smoke: environment     ## ask the running endpoint for one prediction
	@$(RUN) -m ops.smoke --stack $(STACK)

status: environment    ## what runs, where, since when, how much memory; which tools and plugins, from where
	@$(RUN) -m lab status

shell: environment     ## a shell in which pulumi, kubectl and curl work against the lab
	@$(RUN) -m lab shell

test: environment      ## every test, on every rung
	@$(RUN) -m ops.test $(TESTS)

prove: environment     ## show by number what the project promises: make prove ITEM=A3
	@$(RUN) -m ops.prove $(ITEM)

bench: environment     ## timings, as ratios in one run
	@$(RUN) -m ops.bench

lint: environment      ## ruff and pyright
	@$(RUN) -m ruff check . && $(RUN) -m pyright
