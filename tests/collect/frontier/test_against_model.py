"""Whatever is called in whatever order, both stores do what a plain dictionary does."""

from collections import defaultdict
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from frontier_stores import Hands, Store
from psyllm.collect.frontier.contract import Ask, Outcome, Settled, host_of

URLS = [f"http://{host}.test/{number}" for number in range(4) for host in "abc"]
LEASE_S = 60.0


@dataclass
class Page:
    order: int
    state: str = "waiting"
    token: int = 0
    attempt: int = 0
    due: float = 0.0


class AgainstModel(RuleBasedStateMachine):
    store: Store
    hands: Hands

    def __init__(self):
        super().__init__()
        self.frontier, self.clock = self.store.open_at(self.hands, lease_s=LEASE_S)
        self.pages: dict[str, Page] = {}
        self.paused: dict[str, float] = {}
        self.leases = []

    def teardown(self):
        self.frontier.close()
        self.clock.close()

    def take_in(self, urls):
        new = [url for url in dict.fromkeys(urls) if url not in self.pages]
        for url in new:
            self.pages[url] = Page(len(self.pages))
        return len(new)

    def newest(self, lease):
        page = self.pages[lease.url]
        return page if page.token == lease.token and page.state in {"waiting", "leased"} else None

    @rule(urls=st.lists(st.sampled_from(URLS), max_size=6))
    def add(self, urls):
        assert self.frontier.add([Ask(url) for url in urls]) == self.take_in(urls)

    @rule(most=st.integers(0, 7), limit=st.none() | st.integers(0, 12))
    def claim(self, most, limit):
        lines = self.lines()
        leases = self.frontier.claim("w", most, limit)
        room = most if limit is None else max(0, limit - self.stored_or_leased())
        assert len(leases) == min(most, room, sum(map(len, lines.values())))
        taken = defaultdict(list)
        for lease in leases:
            taken[host_of(lease.url)].append(lease.url)
            page = self.pages[lease.url]
            page.state, page.due = "leased", self.hands.time + LEASE_S
            page.token += 1
            page.attempt += 1
            assert lease[3:] == (page.token, page.attempt, page.due)
        for host, line in lines.items():
            assert taken[host] == line[: len(taken[host])], "oldest first within a host"
            if len(taken[host]) < len(line):
                assert len(taken[host]) >= max(map(len, taken.values())) - 1, "hosts in turn"
        self.leases += leases

    @rule(data=st.data())
    def extend(self, data):
        asked = self.some(data)
        held = self.frontier.extend(asked)
        expected = []
        for lease in asked:
            page = self.newest(lease)
            if page is not None:
                page.state, page.due = "leased", self.hands.time + LEASE_S
                expected.append(lease._replace(until=page.due))
        assert held == expected

    @rule(data=st.data(), found=st.lists(st.sampled_from(URLS), max_size=3))
    def settle(self, data, found):
        links = tuple(Ask(url) for url in found)
        outcome = data.draw(st.sampled_from(list(Outcome)))
        done = [Settled(lease, outcome, "s:0:1", "", links) for lease in self.some(data)]
        expected = []
        for item in done:
            page = self.newest(item.lease)
            if page is not None:
                page.state = str(outcome)
                expected.append(item)
        if expected:
            self.take_in(found)
        assert self.frontier.settle(done) == expected

    @rule(data=st.data(), wait_s=st.integers(0, 90), tried=st.booleans())
    def give_back(self, data, wait_s, tried):
        leases = self.some(data)
        for lease in leases:
            page = self.newest(lease)
            if page is not None:
                page.state = "later" if wait_s else "waiting"
                page.due = self.hands.time + wait_s
                page.token += 1
                page.attempt -= 0 if tried else 1
        self.frontier.give_back(leases, not_before=self.hands.time + wait_s, tried=tried)

    @rule(host=st.sampled_from("abc"), pause_s=st.integers(1, 60))
    def pause(self, host, pause_s):
        name = f"{host}.test"
        self.clock.pause(name, self.hands.time + pause_s)
        self.paused[name] = max(self.paused.get(name, 0), self.hands.time + pause_s)

    @rule(seconds=st.integers(1, 70))
    def wait(self, seconds):
        self.hands.time += seconds

    @invariant()
    def counts_agree(self):
        states = [page.state for page in self.pages.values()]
        counts = self.frontier.counts()
        assert counts["waiting"] == states.count("waiting") + states.count("later")
        assert counts["leased"] == states.count("leased")
        assert {name: counts[name] for name in Outcome} == {name: states.count(name) for name in Outcome}
        stored = sorted(url for url, page in self.pages.items() if page.state == "stored")
        assert [url for url, _, _ in self.frontier.stored()] == stored
        assert self.frontier.is_done() == (set(states) <= set(Outcome))

    def stored_or_leased(self):
        return sum(page.state in {"stored", "leased"} for page in self.pages.values())

    def some(self, data):
        if not self.leases:
            return []
        return data.draw(st.lists(st.sampled_from(self.leases), max_size=4, unique=True))

    def lines(self):
        """What may be claimed now, host by host in the order of arrival."""
        for page in self.pages.values():
            if page.state in {"leased", "later"} and page.due <= self.hands.time:
                page.state = "waiting"
        lines = defaultdict(list)
        for url, page in sorted(self.pages.items(), key=lambda item: item[1].order):
            if page.state == "waiting" and self.paused.get(host_of(url), 0) <= self.hands.time:
                lines[host_of(url)].append(url)
        return lines


def test_both_stores_do_what_a_dictionary_does(store, hands):
    bound = type("Bound", (AgainstModel,), {"store": store, "hands": hands})
    run_state_machine_as_test(
        bound, settings=settings(max_examples=25, stateful_step_count=30, deadline=None)
    )
