# Sourced by the `prepare` scripts.

# need TOOL HOW: fails and says how to install the tool if it is missing.
need() {
    command -v "$1" >/dev/null && return
    echo "$1 is missing; $2" >&2
    exit 1
}
