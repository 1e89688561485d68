"""Which node is hit, when, how, and how it comes back: seeded. And the stopwatch: how long its shards had no owner that lives.

Chooses, acts and measures. Whether anything was lost is the checker's question.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from tests.chaos.checker import Violation
from tests.chaos.oplog import OpLog
from tests.cluster.nodes import PORT, Crew, Node, Owned, Table
from tests.support.verify import UNREADABLE, Finding, verify
from tests.support.wait import TimedOut, until

TAKEOVER_SECONDS_MAX = {"kill": 10.0, "term": 2.0}
"""What is promised: a lease, a beat and the reading; and a hand-over."""
LOOK_SECONDS = 0.05
SETTLE_SECONDS_MAX = 60.0
EXIT_SECONDS_MAX = 60.0
UPTIME_SECONDS = (0.3, 2.5)
TWO_AT_ONCE = 0.15
AWAY_SECONDS = (0.5, 8.0)
PAUSE_SECONDS = (5.5, 15.0)
"""Beyond the lease of five seconds."""
CUT_SECONDS = (3.0, 15.0)
WORKER_DEATHS = 0.15
POINTS = {
    "before_hand_over": "1*return(abort)",
    "after_hand_over": "1*return(abort)",
    "before_answer": "200*off->1*return(abort)",
}
"""Where a node dies that is to die at an exact point: in its hand-over, or with the answer of another node in hand."""
AUDIT_EVERY = 10


def untaken(before: dict[int, Owned], now: dict[int, Owned], there: set[str]) -> dict[int, Owned]:
    """The shards that nobody who lives has taken since: a name alone says nothing, as nodes come back under theirs."""
    return {shard: owned for shard, owned in before.items() if now[shard].epoch <= owned.epoch or now[shard].owner not in there}


def astray(home: dict[int, str], now: dict[int, Owned], there: set[str]) -> dict[int, Owned]:
    """The shards that are not where they belong; those of a node that is away belong to any other."""
    return {shard: now[shard] for shard, name in home.items() if now[shard].owner not in ({name} if name in there else there)}


@dataclass
class Nemesis:
    """Hits on a seeded schedule, one at a time."""

    nodes: list[Node]
    crew: Crew
    table: Table
    log: OpLog
    rng: random.Random
    home: dict[int, str] = field(default_factory=dict)
    """Where each shard is when every node is there."""
    done: Counter[str] = field(default_factory=Counter)
    takeovers: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds, by what had been done to the owner."""
    violations: list[Violation] = field(default_factory=list)
    auditing: asyncio.Task[list[Finding]] | None = None

    async def settle(self) -> None:
        """Learns where each shard is at home: every node owns some, and none has moved for a while."""
        names = {node.name for node in self.nodes}
        last: dict[int, Owned] = {}
        same = 0

        async def quiet() -> bool:
            nonlocal last, same
            now = await self.table.read()
            same = same + 1 if now == last else 0
            last = now
            return same >= 8 and {owned.owner for owned in now.values()} == names

        await until(quiet, "every node has shards", SETTLE_SECONDS_MAX)
        self.home = {shard: owned.owner for shard, owned in last.items()}

    async def rage(self, plan: Iterable[str]) -> None:
        """Every step of a plan, in an order of its own."""
        acts: dict[str, Callable[[str], Awaitable[None]]] = {"kill": self.kill, "pause": self.pause, "partition": self.partition, "restart": self.restart, "fall": self.fall}
        steps = list(plan)
        self.rng.shuffle(steps)
        for number, name in enumerate(steps, 1):
            await asyncio.sleep(self.rng.uniform(*UPTIME_SECONDS))  # the moment is the experiment, not a synchronization
            await self.casualties()
            if self.rng.random() < WORKER_DEATHS:
                self.crew.kill_one(self.rng)
                self.done["worker"] += 1
            await acts[name](f"{name} {number}")
            if number % AUDIT_EVERY == 0:
                await self.audit()
        await self.casualties()
        await self.audited()

    async def casualties(self) -> None:
        """A node that ended though nobody touched it."""
        for node in self.nodes:
            if node.server.process is not None and node.server.process.poll() is not None:
                self.violations.append(Violation("L-5", f"{node.name} ended by itself with {node.server.process.returncode}: {node.server.log_end(500)}"))
                await node.start()

    async def kill(self, what: str) -> None:
        """SIGKILL to one node, sometimes to two; each comes back after a while of its own."""
        victims = self.rng.sample(self.nodes, 2 if self.rng.random() < TWO_AT_ONCE else 1)
        delays = [self.rng.uniform(*AWAY_SECONDS) for _ in victims]
        for node in victims:
            await node.scrape()
        before = await self.table.read()
        await self.log.note("down", what=what)
        for node in victims:
            node.away = True
            node.server.kill()
            self.done["kill"] += 1
        self.crew.fill()
        back = [asyncio.create_task(self.back(node, delay, f"{what}, {node.name} back")) for node, delay in zip(victims, delays, strict=True)]
        await self.taken("kill", what, before, victims)
        await self.log.note("up", what=what)
        await asyncio.gather(*back)

    async def back(self, node: Node, delay: float, what: str) -> None:
        """A dead node comes back after a while."""
        await asyncio.sleep(delay)
        await self.log.note("down", what=what)
        await node.start()
        await self.balanced(what)
        await self.log.note("up", what=what)

    async def pause(self, what: str) -> None:
        """SIGSTOP beyond the lease, then SIGCONT: it believes for a moment that nothing has happened."""
        node = self.rng.choice(self.nodes)
        await self.absence("pause", what, node, self.rng.uniform(*PAUSE_SECONDS), lambda: node.server.send(signal.SIGSTOP), lambda: node.server.send(signal.SIGCONT))

    async def partition(self, what: str) -> None:
        """One node is cut off from some or all others: nodes, database, clients."""
        node = self.rng.choice(self.nodes)
        place = node.place
        cuts = {
            "peers": place.cut_from_peers,
            "database": lambda: place.cut_from_database(self.table.cluster.port),
            "clients": lambda: place.cut_from_clients(PORT),
        }
        chosen = self.rng.sample(sorted(cuts), self.rng.randint(1, len(cuts)))

        def cut() -> None:
            for name in chosen:
                cuts[name]()

        self.done[f"from {' and '.join(sorted(chosen))}"] += 1
        # A node that reaches the database keeps its shards.
        kind = "partition" if "database" in chosen else ""
        await self.absence(kind, what, node, self.rng.uniform(*CUT_SECONDS), cut, place.mend)
        self.done["partition"] += 1

    async def absence(self, kind: str, what: str, node: Node, seconds: float, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """A node is not there for some seconds. Its shards may be taken meanwhile, and come back to it afterwards."""
        before = await self.table.read()
        await self.log.note("down", what=what)
        node.away = True
        begin()
        self.crew.fill()
        watch = asyncio.create_task(self.taken(kind, what, before, [node], seconds)) if kind else None
        await asyncio.sleep(seconds)
        end()
        if watch is not None:
            await watch
        node.away = False
        if kind == "pause":
            self.done[kind] += 1
        await self.balanced(what)
        await self.log.note("up", what=what)

    async def restart(self, what: str) -> None:
        """A rolling restart: each node is told to go, ends, and comes back."""
        for node in self.nodes:
            await self.renew(node, f"{what}, {node.name}")
        self.done["rolling restart"] += 1

    async def renew(self, node: Node, what: str) -> None:
        """A node is told to go, ends, and comes back."""
        await node.scrape()
        before = await self.table.read()
        await self.log.note("down", what=what)
        node.away = True
        node.server.send(signal.SIGTERM)
        await self.taken("term", what, before, [node])
        self.crew.fill()
        await self.ended(node, what)
        await node.start()
        await self.balanced(what)
        await self.log.note("up", what=what)

    async def fall(self, what: str) -> None:
        """A node dies at an exact point. Its server must have places to fail at."""
        node = self.rng.choice(self.nodes)
        point = self.rng.choice(sorted(POINTS))
        what = f"{what} at {point}, {node.name}"
        node.server.environment["FAILPOINTS"] = f"{point}={POINTS[point]}"
        await self.renew(node, f"{what}, armed")
        del node.server.environment["FAILPOINTS"]
        before = await self.table.read()
        await self.log.note("down", what=what)
        if point != "before_answer":
            node.away = True
            node.server.send(signal.SIGTERM)
        await self.ended(node, what, -signal.SIGABRT)
        node.away = True
        self.crew.fill()
        await self.taken("kill", what, before, [node])
        await self.log.note("up", what=what)
        await self.back(node, self.rng.uniform(*AWAY_SECONDS), f"{what}, back")
        self.done[f"fall at {point}"] += 1

    async def ended(self, node: Node, what: str, code: int = 0) -> None:
        """A node ends by itself, and as it should."""
        process = node.server.process
        assert process is not None

        async def gone() -> bool:
            return process.poll() is not None

        try:
            await until(gone, f"{node.name} to end", EXIT_SECONDS_MAX)
        except TimedOut as late:
            self.violations.append(Violation("shutdown", f"{what}: {late}"))
        if process.poll() not in (None, code):
            self.violations.append(Violation("shutdown", f"{what}: ended with {process.returncode}: {node.server.log_end(500)}"))
        node.server.kill()

    async def taken(self, kind: str, what: str, before: dict[int, Owned], victims: list[Node], patience: float = SETTLE_SECONDS_MAX) -> None:
        """Until every shard of the victims had, under a higher epoch, an owner that lives. How long it took is kept and judged."""
        began = time.monotonic()
        names = {node.name for node in victims}
        missing = {shard: owned for shard, owned in before.items() if owned.owner in names}
        while missing:
            there = {node.name for node in self.nodes if not node.away}
            missing = untaken(missing, await self.table.read(), there)
            seconds = time.monotonic() - began
            if missing and seconds > patience:
                if kind in TAKEOVER_SECONDS_MAX:
                    self.violations.append(Violation("takeover", f"{what}: shards {sorted(missing)} still have no owner that lives after {seconds:.1f} s"))
                return
            await asyncio.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - began
        self.takeovers[kind].append(seconds)
        if seconds > TAKEOVER_SECONDS_MAX.get(kind, SETTLE_SECONDS_MAX):
            self.violations.append(Violation("takeover", f"{what}: {seconds:.1f} s"))

    async def balanced(self, what: str) -> None:
        """Until every shard is at home again, unless its home is away."""

        async def home() -> bool:
            there = {node.name for node in self.nodes if not node.away}
            return not astray(self.home, await self.table.read(), there)

        try:
            await until(home, "every shard at home", SETTLE_SECONDS_MAX)
        except TimedOut as late:
            self.violations.append(Violation("placement", f"{what}: {late}: {await self.table.read()}, home {self.home}"))

    async def audit(self) -> None:
        """Looks over the database beside everything else; one at a time."""
        if self.auditing is not None and not self.auditing.done():
            return
        await self.audited()
        self.done["audit"] += 1
        self.auditing = asyncio.create_task(asyncio.to_thread(verify, self.nodes[0].server.binary, self.table.cluster.url))

    async def audited(self) -> None:
        """What the audit before has found."""
        if self.auditing is not None:
            found = await self.auditing
            self.violations += [Violation(one.promise, f"at audit {self.done['audit']}: {one.what}") for one in found if one.promise != UNREADABLE]
            self.auditing = None
