"""What belongs together, when pairs that do are named one by one.

Numbers from 0 come in as pairs; every number's group goes out under the
smallest number in it, whatever the order of the pairs (union-find, 8 bytes a
number).
"""

from __future__ import annotations

from array import array


class Groups:
    """So many numbers, each at first alone."""

    def __init__(self, count: int) -> None:
        self._parents = array("q", range(count))

    def join(self, left: int, right: int) -> None:
        """Put the groups of two numbers together."""
        first, second = sorted((self.of(left), self.of(right)))
        self._parents[second] = first

    def of(self, number: int) -> int:
        """Return the smallest number of the group."""
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def all(self) -> dict[int, list[int]]:
        """Return every group, in order, by its smallest number."""
        found: dict[int, list[int]] = {}
        for number in range(len(self._parents)):
            found.setdefault(self.of(number), []).append(number)
        return found

    def shared(self) -> dict[int, list[int]]:
        """Return the groups of more than one number, in order, by the smallest."""
        found: dict[int, list[int]] = {}
        for number, parent in enumerate(self._parents):
            if parent != number:  # the smallest of a group is its own parent
                first = self.of(number)
                found.setdefault(first, [first]).append(number)
        return found
