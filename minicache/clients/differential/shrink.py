"""Making a differing sequence short."""

from dataclasses import replace

from differential.play import replay
from differential.steps import Send


def shrink(servers, steps, difference):
    """Removes steps, then words, while the replies still differ."""
    size = len(steps) // 2
    while size >= 1:
        at = 0
        while at < len(steps):
            fewer = steps[:at] + steps[at + size :]
            found = replay(servers, fewer)
            if found:
                steps, difference = fewer, found
            else:
                at += size
        size //= 2
    for number in range(len(steps)):
        if not any(getattr(action, "near", []) for action in steps[number]):
            steps, difference = shrink_actions(servers, steps, number, difference)
        if len(steps[number]) == 1 and isinstance(steps[number][0], Send):
            steps, difference = shrink_words(servers, steps, number, difference)
    return steps, difference


def shrink_actions(servers, steps, number, difference):
    """Leaves out actions of one step; not of one whose replies explain each other."""
    for at in reversed(range(len(steps[number]))):
        step = steps[number][:at] + steps[number][at + 1 :]
        fewer = [*steps[:number], step, *steps[number + 1 :]]
        found = replay(servers, fewer) if step else None
        if found and found.name == difference.name:
            steps, difference = fewer, found
    return steps, difference


def shrink_words(servers, steps, number, difference):
    """Leaves out words of one command while the same command is the one that differs."""
    for at in reversed(range(1, len(steps[number][0].words))):
        send = steps[number][0]
        shorter = replace(send, words=send.words[:at] + send.words[at + 1 :])
        fewer = [*steps[:number], [shorter], *steps[number + 1 :]]
        found = replay(servers, fewer)
        if found and found.name == difference.name:
            steps, difference = fewer, found
    return steps, difference
