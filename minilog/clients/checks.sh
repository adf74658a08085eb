# Sourced by the `check` scripts that are written in bash: behaviors, comparisons, waiting.

failures=0
number=0
held=()
# Topics are never deleted, so every run uses new names.
run=$$-$RANDOM

# behavior NUMBER: starts this behavior of BEHAVIORS.md, with the name of a new topic in $topic.
behavior() {
    finish_behavior
    number=$1 ok=true topic=b$1-$run
}

finish_behavior() { [ "$number" = 0 ] || ! $ok || held+=("$number"); }

wrong() {
    failures=$((failures + 1))
    ok=false
    printf '  FAIL %s: %s\n    got:  %.600s\n    want: %.600s\n' "$number" "$1" "$2" "$3"
}

# equal WHAT GOT WANT
equal() { [ "$2" = "$3" ] || wrong "$1" "$2" "$3"; }

# matches WHAT GOT PATTERN: a line of GOT matches the extended pattern.
matches() { grep -qE -- "$3" <<<"$2" || wrong "$1" "$2" "$3"; }

# eventually COMMAND...: waits up to ten seconds until the command succeeds.
eventually() {
    for _ in $(seq 200); do
        "$@" && return
        sleep 0.05
    done
    wrong "$*" "still not true after ten seconds" "true"
}

# Prints the result. Fails if a behavior has failed.
finish_checks() {
    finish_behavior
    echo "  $1: ${#held[@]} held: ${held[*]}"
    [ "$failures" = 0 ]
}
