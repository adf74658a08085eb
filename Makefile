# The commands people need; `make` alone prints them. Without make, type the indented lines.
.PHONY: help serve cli compare test check golden bench fuzz clients docs docker ci

help:
	@sed -n 's/^\([a-z]*\): *# \(.*\)/\nmake \1: \2/p; s/^\t\([^@]\)/    \1/p' Makefile

serve: # minicache on 127.0.0.1:6379
	cargo run --release -p minicache -- serve

cli: # a client of it
	cargo run --release -p minicache -- cli

compare: # every engine against the real system (one alone: -- cache; more rows: without --quick)
	cargo run --release -p comparisons -- --quick

test: # every test
	cargo test --workspace

check: # layout, lints, documentation
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

golden: # record the golden scripts again; then explain every line of `git diff`
	UPDATE_GOLDEN=1 cargo test --workspace

bench: # the engines' cores against embedded peers (some of them, quickly: -- --quick get)
	cargo bench

fuzz: # every fuzz target, a minute each
	.ci/fuzz 60

clients: # real programs and client libraries, against the real Redis and minicache
	cargo build --release -p minicache
	minicache/clients/run

docs: # read the crates in a browser
	cargo doc --workspace --no-deps --document-private-items --open

docker: # minicache in a container
	docker compose up minicache

ci: # everything CI does, under 45 minutes
	.ci/run
