# One Dockerfile for every engine: ENGINE names it. Both ways to its binary end in the same image:
# the engine, not as root, serving on its own port.
#
#   docker build -t minicache --build-arg ENGINE=minicache .
#
#   cargo build --release -p minicache
#   docker build -t minicache --build-arg ENGINE=minicache \
#       --target prebuilt --build-arg BINARY=target/release/minicache .
#
# The first compiles inside (RUST_IMAGE). The second takes what cargo has built, which needs a base
# (BASE_IMAGE) whose C library is no older than the one it was linked with.

ARG ENGINE=minicache
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG BASE_IMAGE=debian:bookworm-slim

# An empty directory, for the engines that store something: a volume gets its owner from it.
FROM scratch AS data
WORKDIR /data

# A stage per engine holds all that sets its image apart. The stages run nothing, so any base will
# do, even one without a shell.
FROM ${BASE_IMAGE} AS base
USER 65532:65532

FROM base AS minicache
EXPOSE 6379
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["/usr/local/bin/minicache", "cli", "ping"]
ENTRYPOINT ["/usr/local/bin/minicache"]
CMD ["serve", "--listen", "0.0.0.0:6379"]

FROM base AS minilog
EXPOSE 9092
# What clients are told to connect to; those in other containers need another address.
ENV MINILOG_ADVERTISE=127.0.0.1:9092
COPY --from=data --chown=65532:65532 /data /data
VOLUME /data
ENTRYPOINT ["/usr/local/bin/minilog"]
CMD ["serve", "--listen", "0.0.0.0:9092", "--data-dir", "/data"]

FROM base AS minibtree
EXPOSE 5432
COPY --from=data --chown=65532:65532 /data /data
VOLUME /data
ENTRYPOINT ["/usr/local/bin/minibtree"]
CMD ["serve", "--listen", "0.0.0.0:5432", "--data-dir", "/data"]

FROM base AS minilb
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/minilb"]
CMD ["serve", "--config", "/etc/nginx/nginx.conf"]

FROM base AS minigateway
EXPOSE 8000
ENTRYPOINT ["/usr/local/bin/minigateway"]
CMD ["serve", "--listen", "0.0.0.0:8000", "--config", "/etc/minigateway/gateway.toml"]

# Docker's older builder builds every stage above the requested one. So this stage is above the
# compiler, whose image may be out of reach. A build from source passes through it without a binary,
# and copies a file that always exists.
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
