# Sourced by the `prepare` scripts.

# need TOOL HOW: fails, saying how to get it, unless the tool is installed.
need() {
    command -v "$1" >/dev/null && return
    echo "$1 is missing; $2" >&2
    exit 1
}
