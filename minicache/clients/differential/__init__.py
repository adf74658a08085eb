"""The differential fuzzer, bottom up: replies, commands, steps, play, shrink, servers."""
