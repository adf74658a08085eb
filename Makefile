# The commands people need; `make` alone prints them. They need no make: type what is indented.
.PHONY: help serve cli compare test check golden bench fuzz clients docs docker ci

help:
	@sed -n 's/^\([a-z]*\): *# \(.*\)/\nmake \1: \2/p; s/^\t\([^@]\)/    \1/p' Makefile

serve: # minicache on 127.0.0.1:6379
	cargo run --release -p minicache -- serve

cli: # talk to it
	cargo run --release -p minicache -- cli

compare: # who wins against the real Redis, in three minutes (without --quick: more rows)
	cargo run --release -p comparisons -- --quick

test: # every test
	cargo test --workspace

check: # layout, lints, documentation
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

golden: # record outputs anew; then explain every line of `git diff`
	UPDATE_GOLDEN=1 cargo test --workspace

bench: # the engines' cores against embedded peers
	cargo bench -p benches

fuzz: # every fuzz target, a minute each
	.ci/fuzz 60

clients: # the programs and libraries people have, against the real Redis and minicache
	cargo build --release -p minicache
	minicache/clients/run

docs: # read the crates in a browser
	cargo doc --workspace --no-deps --document-private-items --open

docker: # minicache in a container
	docker compose up minicache

ci: # everything CI does, under 25 minutes
	.ci/run
