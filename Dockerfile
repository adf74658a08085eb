# One Dockerfile for every engine. ENGINE says which, and the two ways to its binary end in the same
# image: the engine, not as root, serving on its own port.
#
#   docker build -t minicache --build-arg ENGINE=minicache .
#
#   cargo build --release -p minicache
#   docker build -t minicache --build-arg ENGINE=minicache \
#       --target prebuilt --build-arg BINARY=target/release/minicache .
#
# The first compiles inside (RUST_IMAGE). The second takes what cargo has built, which asks for a
# base (BASE_IMAGE) with a C library no older than the one it was linked with.

ARG ENGINE=minicache
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

# A stage per engine says all that sets its image apart. It runs nothing, so any base will do, even
# one without a shell.
FROM ${BASE_IMAGE} AS minicache
USER 65532:65532
EXPOSE 6379
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["/usr/local/bin/minicache", "cli", "ping"]
ENTRYPOINT ["/usr/local/bin/minicache"]
CMD ["serve", "--listen", "0.0.0.0:6379"]

# Docker's older builder makes every stage above the one it is asked for. So this one stands above
# the compiler, for those who cannot get that; and those who come through on their way down, without
# a binary, copy something that is always there.
FROM ${ENGINE} AS prebuilt
ARG ENGINE
ARG BINARY=Dockerfile
COPY ${BINARY} /usr/local/bin/${ENGINE}

FROM ${RUST_IMAGE} AS compiler
ARG ENGINE
WORKDIR /source
COPY . .
RUN cargo build --release --locked -p ${ENGINE}

FROM ${ENGINE}
ARG ENGINE
COPY --from=compiler /source/target/release/${ENGINE} /usr/local/bin/${ENGINE}
