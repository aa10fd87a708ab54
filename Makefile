# The lab and the checks. Only make and python3 need to be there: lab/bootstrap.sh brings the rest.
#
#   make up [SPARKS=4] [TAILNET=yes]
#                           a fleet on this machine, provisioned; `make down` removes it
#   eval "$(make -s env)"   makes `pulumi` and `spark` work on it in your shell
#   make test | drills | lint
#   make search             the property tests with other examples, and more of them, than `make test`
#   make bench [BENCH=exporter]

NAME ?= lab
SPARKS ?=
VARIANT ?= classic
TAILNET ?=
PYTEST_ARGS ?=
WORKERS ?= 2
BENCH ?= converge exporter hostile alerts

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sparkfleet
PYTHON := .venv/bin/python
# A plain `su` leaves the sbin folders out, where nft and debootstrap are.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin:$(CACHE)/monitoring/usr/bin
export LAB_STARTED := $(shell date +%s)

.PHONY: help up down env status test drills search bench lint ready ready-to-test
.DEFAULT_GOAL := help

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

ready:
	@lab/bootstrap.sh

ready-to-test:
	@lab/bootstrap.sh monitoring

up: ready
	@$(PYTHON) -m lab up --name $(NAME) --variant $(VARIANT) $(if $(SPARKS),--sparks $(SPARKS)) \
	    $(if $(TAILNET),--tailnet)

down: ready
	@$(PYTHON) -m lab down --name $(NAME)

env: ready
	@$(PYTHON) -m lab env --name $(NAME)

status: ready
	@$(PYTHON) -m lab status --name $(NAME)

test: ready-to-test
	@$(PYTHON) -m pytest -m "not drill" --numprocesses $(WORKERS) --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

drills: ready-to-test
	@$(PYTHON) -m pytest -m drill $(PYTEST_ARGS)

search: ready-to-test
	@$(PYTHON) -m pytest -m "hypothesis and not drill" --hypothesis-profile search --numprocesses $(WORKERS) $(PYTEST_ARGS)

bench: ready-to-test
	@missed=0; for name in $(BENCH); do $(PYTHON) bench/$$name.py || missed=1; done; exit $$missed

lint: ready
	@ruff check
	@ruff format --check
	@mypy
	@lint-imports
	@$(PYTHON) -m lab.lint
	@yamllint --strict .
