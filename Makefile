# Thin: each target is one or two ordinary commands. The set of libtorch: LIBTORCH_SET=auto (the default), cpu or cuda.
LIBTORCH_SET ?= auto

.PHONY: help setup demo test clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

setup: ## put libtorch and the crates in place; needs the network the first time only
	@.ci/fetch-libtorch "$(LIBTORCH_SET)"
	@cargo fetch --locked --offline >/dev/null 2>&1 || cargo fetch --locked

demo: setup ## train a robust student on real images in the terminal
	cargo build --locked
	target/debug/rematch train configs/quickstart.toml || [ $$? -eq 130 ] # 130: stopped by hand, which is no failure

test: setup ## run all tests
	cargo test --locked

clean: ## remove what was built; libtorch stays in .libtorch/
	cargo clean
