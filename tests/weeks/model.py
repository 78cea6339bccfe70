"""The oracle: what a user may expect of each set after each run, from what was done to the project. Pure.

Of each set it keeps all states that agree with what was seen so far, mostly one. A run maps each of them to those that
may come of it; what is then seen must agree with one of them, and only those that agree are kept. What the rules leave
open, and what no user can know (which programs had ended when a master was killed), is more than one state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .plan import STDOUT, Plan, Program, Refused, Result, Set

KEEP, FRESH, MISSING, RETRY, PLAIN = "--keep", "--fresh", "--missing", "retry", ""
DONE, WAITING, FAILED, REJECTED, CANCELLED = "done", "waiting", "failed", "rejected", "cancelled"
GIVEN_UP = "given up"  # failed, because it was taken for the killer of its hosts
STALE = "stale"  # finished, and left out of the table when `--fresh` ran all: to be replaced when it comes back
ENDS = frozenset({FAILED, REJECTED, CANCELLED, GIVEN_UP})
ASKED = 2  # the exit code of a run that does nothing because the program has changed
INTERRUPTED = 130


class Broken(AssertionError):
    """A rule was broken."""


@dataclass(frozen=True)
class Attempt:
    """Whose result a set has: the program, and which of its files were kept."""

    program: Program
    sources: frozenset[str]


@dataclass(frozen=True)
class State:
    """One thing that may be true of a set. One that waits may have a result that stays until the next one."""

    name: str
    attempt: Attempt | None = None


@dataclass(frozen=True)
class Outcome:
    """A state that may come of a run, and how often the program was started for it."""

    state: State
    least: int = 0
    most: int | None = None  # None: any number


@dataclass(frozen=True)
class Run:
    """What was run, and how it ended."""

    plan: Plan
    mode: str = PLAIN
    number: int | None = None  # of `spe retry NUMBER`
    complete: bool = True  # it came to its end by itself
    strict: bool = True  # nothing was killed or held up: the program is started as often as it has to be
    broken: frozenset[str] = frozenset()  # values for which any program fails now
    cancelled: frozenset[int] = frozenset()
    lossy: bool = False  # hosts were lost, perhaps three by one set
    slipped: frozenset[int] = frozenset()  # sets for which somebody of an earlier session brought something


@dataclass
class Seen:
    """What is there after a run."""

    code: int | None  # None: it was killed
    words: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)  # total, done, failed, cancelled, waiting, running
    rows: Sequence[Mapping[str, str]] = ()  # the cell of a file is its content
    failed: Sequence[Mapping[str, str]] = ()
    starts: Sequence[tuple[int, str]] = ()  # (number, what it was given), since the last time


def cells(one: Set, attempt: Attempt, results: Mapping[str, Result]) -> dict[str, str | None]:
    """The cells of a row; None: empty, as it was not kept. Raises Refused."""
    made = one.produced(attempt.program)
    kept = attempt.sources | {STDOUT}
    refused: Refused | None = None
    found: dict[str, str | None] = {}
    for name, result in results.items():
        try:
            found[name] = result.cell(made[result.source]) if result.source in kept else None
        except Refused as fault:
            refused = fault
    if refused:
        raise refused
    return found


def has_gap(one: Set, attempt: Attempt, results: Mapping[str, Result]) -> bool:
    return None in cells(one, attempt, results).values()


def is_refused(one: Set, attempt: Attempt, results: Mapping[str, Result]) -> bool:
    try:
        cells(one, attempt, results)
    except Refused:
        return True
    return False


class Oracle:
    """One sweep over its days."""

    def __init__(self) -> None:
        self.states: dict[Set, frozenset[State]] = {}
        self.numbers: dict[Set, int] = {}
        self.begun_before: set[int] = set()  # in a run that was interrupted: they may have used up attempts
        self.limbo: dict[Set, frozenset[Attempt]] = {}  # what a client of a killed master may still bring
        self.remembered: frozenset[Program | None] = frozenset({None})  # the program that the last run was decided for
        self.begun = False

    # -- before a run

    def asks(self, plan: Plan) -> frozenset[bool]:
        """Whether a plain run asks about a changed program: True, False, or both where the rules leave it open."""
        if not self.begun or self.remembered == {plan.program} or self.remembered == {None}:
            return frozenset({False})
        if any(all(state.name == DONE for state in states) for states in self.states.values()):
            return frozenset({True, False} if plan.program in self.remembered else {True})
        if any(state.attempt for states in self.states.values() for state in states):
            return frozenset({True, False})
        return frozenset({False})

    def failed_numbers(self, plan: Plan) -> list[int]:
        """Sets of this plan of which it is sure that they have failed."""
        here = [one for one in plan.sets() if one in self.numbers]
        sure = [one for one in here if all(state.name in ENDS for state in self._today(one, plan))]
        return [self.numbers[one] for one in sure]

    def work(self, plan: Plan, mode: str) -> int:
        """How many sets such a run has to do, about."""
        run = Run(plan, mode)
        new = [one for one in plan.sets() if one not in self.states]
        put = [[state for old in self._today(one, plan) for state in self._put_back(one, old, run)]
               for one in plan.sets() if one in self.states]  # fmt: skip
        return len(new) + sum(any(state.name == WAITING for state in states) for states in put)

    def has_gaps(self, plan: Plan) -> bool:
        return any(
            state.name == DONE and state.attempt and has_gap(one, state.attempt, plan.results)
            for one in plan.sets()
            if one in self.states
            for state in self._today(one, plan)
        )

    # -- after a run

    def check_asked(self, run: Run, seen: Seen) -> None:
        """A run that ended with 2 has run nothing."""
        if run.mode not in (PLAIN, MISSING) or True not in self.asks(run.plan):
            raise Broken(f"exit 2 although nothing is to be asked:\n{seen.words}")
        if "--keep" not in seen.words or "--fresh" not in seen.words:
            raise Broken(f"exit 2, and not because of the program:\n{seen.words}")
        self._check_starts(run, seen, nothing=True)
        self.remembered -= {run.plan.program}

    def check(self, run: Run, seen: Seen) -> None:
        """All that is there agrees with what may be; raises Broken."""
        if run.mode in (PLAIN, MISSING) and self.asks(run.plan) == {True}:
            raise Broken("the program has changed, and nobody was asked")
        self._number(run.plan)
        self._check_starts(run, seen)
        today = run.plan.sets()
        rows = self._by_number(seen.rows, "results.csv")
        failed = self._by_number(seen.failed, "failed.csv")
        self._check_order(run, rows)
        self._check_columns(run, seen)
        starts = self._starts(seen)
        after = {one: self._after(one, run) for one in self.states}
        for one in today:
            number = self.numbers[one]
            found = rows.get(number), failed.get(number), starts.get(number, 0)
            fits = [out for out in after[one] if self._fits(one, out, run, *found)]
            if not fits:
                raise Broken(self._complaint(one, run, after[one], *found))
            after[one] = fits
        self._check_counts(run, seen, {one: after[one] for one in today})
        self.states |= {one: frozenset(out.state for out in outcomes) for one, outcomes in after.items()}
        self._check_code(run, seen)
        if run.mode == RETRY:
            self.remembered |= {run.plan.program}
        else:
            self.remembered = frozenset({run.plan.program})
        self.begun = True
        if not run.complete:
            self.begun_before |= starts.keys()
        self._remember_living(run, seen)

    def _remember_living(self, run: Run, seen: Seen) -> None:
        """A client whose master was killed may go on with what is not done."""
        if seen.code is not None:
            self.limbo = {}
            return
        mine = Attempt(run.plan.program, run.plan.sources)
        for one in run.plan.sets():
            if any(state.name == WAITING for state in self.states[one]):
                self.limbo[one] = self.limbo.get(one, frozenset()) | {mine}

    # -- numbers

    def _number(self, plan: Plan) -> None:
        """Sets have numbers in the order in which they are first seen."""
        for one in plan.sets():
            if one not in self.numbers:
                self.numbers[one] = len(self.numbers) + 1
                self.states[one] = frozenset({State(WAITING)})

    def _by_number(self, rows: Iterable[Mapping[str, str]], what: str) -> dict[int, Mapping[str, str]]:
        found: dict[int, Mapping[str, str]] = {}
        for row in rows:
            if int(row["number"]) in found:
                raise Broken(f"set {row['number']} is in {what} twice")
            found[int(row["number"])] = row
        return found

    def _check_order(self, run: Run, rows: Mapping[int, object]) -> None:
        order = [self.numbers[one] for one in run.plan.sets()]
        if others := set(rows) - set(order):
            raise Broken(f"results.csv has sets that are not among today's, {sorted(others)}; there are {order}")
        if list(rows) != [number for number in order if number in rows]:
            raise Broken(f"the rows are not in the order of the parameters: {list(rows)}, not as in {order}")

    @staticmethod
    def _check_columns(run: Run, seen: Seen) -> None:
        columns = ["number", *run.plan.columns, *run.plan.results, "host", "seconds", "attempts"]
        if seen.rows and list(seen.rows[0]) != columns:
            raise Broken(f"the columns are {list(seen.rows[0])}, not {columns}")

    # -- one set

    @staticmethod
    def _normal(one: Set, state: State, results: Mapping[str, Result]) -> State:
        """Results are extracted again from what is kept."""
        if state.attempt and state.name in (DONE, REJECTED):
            return replace(state, name=REJECTED if is_refused(one, state.attempt, results) else DONE)
        return state

    def _today(self, one: Set, plan: Plan) -> set[State]:
        """What may be so of one of today's sets, before the run does anything."""
        found = set()
        for state in self.states[one]:
            if state.name == STALE:
                found.add(State(WAITING, state.attempt))
                if state.attempt and state.attempt.program != plan.program:
                    continue
                state = State(DONE, state.attempt)  # by the very program that is today's again
            found.add(self._normal(one, state, plan.results))
        return found

    def _after(self, one: Set, run: Run) -> list[Outcome]:
        """What may come of this run for a set."""
        if one not in set(run.plan.sets()):
            return [Outcome(state) for state in self._elsewhere(one, run)]
        found: list[Outcome] = []
        for state in self._today(one, run.plan):
            for put in self._put_back(one, state, run):
                found += self._worked(one, put, run)
        return list(dict.fromkeys(found))

    def _elsewhere(self, one: Set, run: Run) -> Iterator[State]:
        """Sets that are not among today's: only `--fresh` is sure to mean them too."""
        late = self.limbo.get(one, frozenset())
        for state in self.states[one]:
            again = State(WAITING, state.attempt if state.name in (DONE, WAITING, STALE) else None)
            old = state.attempt is not None and state.attempt.program != run.plan.program
            if run.mode == FRESH:
                yield again
                if state.name in (DONE, STALE):
                    yield State(STALE, state.attempt)
            if run.mode != FRESH or not old:
                yield state
            if run.mode in (RETRY, MISSING) and state.name != WAITING:
                yield again
            if self.numbers[one] in run.slipped and state.name not in (DONE, CANCELLED):
                yield State(DONE, Attempt(run.plan.program, run.plan.sources))
                yield State(FAILED)
            if state.name == WAITING:
                yield from (State(DONE, a) for a in late if run.mode != FRESH or a.program == run.plan.program)

    def _put_back(self, one: Set, state: State, run: Run) -> Iterator[State]:
        """What the run makes of a state before anything is handed out."""
        ended = state.name in ENDS
        again = run.mode == FRESH or (run.mode == RETRY and ended and run.number in (None, self.numbers[one]))
        gap = state.name == DONE and state.attempt and has_gap(one, state.attempt, run.plan.results)
        if again:
            yield State(WAITING, state.attempt)
            if ended:
                yield State(WAITING)
        elif run.mode == MISSING and gap:
            yield State(WAITING, state.attempt)
        else:
            yield state

    def _worked(self, one: Set, state: State, run: Run) -> Iterator[Outcome]:
        """What may come of a set that stands so."""
        slipped = self.numbers[one] in run.slipped
        if slipped and state.name in (FAILED, GIVEN_UP):
            yield from self._ended(one, Attempt(run.plan.program, run.plan.sources), run, least=0, exact=False)
        if state.name != WAITING:
            yield Outcome(state, 0, None if one in self.limbo else 0)
            return
        if self.numbers[one] in run.cancelled:
            yield Outcome(State(CANCELLED, state.attempt))
            return
        if not run.complete:
            yield Outcome(state)
        if run.lossy:
            yield Outcome(State(GIVEN_UP))
        late = self.limbo.get(one, frozenset())
        sure = run.complete and not late
        mine = Attempt(run.plan.program, run.plan.sources)
        for attempt in {mine, *(a for a in late if run.mode != FRESH or a.program == mine.program)}:
            own = attempt == mine and not late and not slipped
            yield from self._ended(one, attempt, run, least=1 if own else 0, exact=sure and run.strict)

    def _ended(self, one: Set, attempt: Attempt, run: Run, least: int, exact: bool) -> Iterator[Outcome]:
        cannot, broken = one.number in attempt.program.fails, one.number in run.broken
        attempts = run.plan.attempts
        if cannot or broken:
            fresh = exact and self.numbers[one] not in self.begun_before
            yield Outcome(State(FAILED), least * attempts if fresh else least, attempts if exact else None)
        if not cannot and (not broken or least == 0):  # an old client may have ended before the world was broken
            if is_refused(one, attempt, run.plan.results):
                most = attempts if exact else None
                yield Outcome(State(REJECTED, attempt), least, most)
                yield Outcome(State(FAILED), least, most)
            else:
                yield Outcome(State(DONE, attempt), least, 1 if exact else None)

    def _fits(
        self, one: Set, out: Outcome, run: Run, row: Mapping[str, str] | None, failed: Mapping[str, str] | None,
        starts: int,
    ) -> bool:  # fmt: skip
        if starts < out.least or (out.most is not None and starts > out.most):
            return False
        state = out.state
        ended = state.name in ENDS
        if ended != (failed is not None) or (failed is not None and not self._is_said(one, state, failed)):
            return False
        shown = state.name == DONE or (state.name == WAITING and state.attempt is not None)
        if shown and state.attempt and is_refused(one, state.attempt, run.plan.results):
            shown = False
        if not shown or state.attempt is None:
            return row is None
        return row is not None and self._is_row(one, state.attempt, run, row)

    @staticmethod
    def _is_row(one: Set, attempt: Attempt, run: Run, row: Mapping[str, str]) -> bool:
        expected = cells(one, attempt, run.plan.results)
        values = dict(one.values)
        return all(row[name] == value for name, value in values.items()) and all(
            row.get(name) == (value or "") for name, value in expected.items()
        )

    @staticmethod
    def _is_said(one: Set, state: State, failed: Mapping[str, str]) -> bool:
        """A row of failed.csv has the parameters, and a reason of the right kind."""
        reason = failed["reason"]
        if any(failed[name] != value for name, value in one.values):
            return False
        if state.name == CANCELLED:
            return reason.startswith("cancelled")
        if state.name == GIVEN_UP:
            return "clients were lost" in reason
        return bool(reason) and not reason.startswith("cancelled") and "no part" not in reason

    def _complaint(self, one: Set, run: Run, may: Sequence[Outcome], row: object, failed: object, starts: int) -> str:
        lines = [f"set {self.numbers[one]} {one}", f"is shown as {row}", f"failed.csv: {failed}", f"starts: {starts}"]
        before = ", ".join(map(_state, self.states[one]))
        lines += [f"it was: {before}", f"the run: {run.mode or 'plain'}, complete {run.complete}", "it may be:"]
        for out in may:
            lines.append(f"  {_state(out.state)}, started {out.least} to {out.most} times")
            if out.state.attempt:
                lines.append(f"    with {_cells(one, out.state.attempt, run.plan.results)}")
        return "\n".join(lines)

    # -- starts

    def _starts(self, seen: Seen) -> dict[int, int]:
        found: dict[int, int] = {}
        for number, _ in seen.starts:
            found[number] = found.get(number, 0) + 1
        return found

    def _check_starts(self, run: Run, seen: Seen, nothing: bool = False) -> None:
        """Each start had the program and the inputs of its own set, today's or those of a run that was killed."""
        sets = {number: one for one, number in self.numbers.items()}
        today = set() if nothing else set(run.plan.sets())
        for number, told in seen.starts:
            one = sets.get(number)
            programs = {a.program for a in self.limbo.get(one, ())} if one else set()
            programs |= {run.plan.program} if one in today else set()
            if one is None or told not in {one.told(program) for program in programs}:
                may = sorted(one.told(program) for program in programs) if one else "no such set"
                raise Broken(f"set {number} was started with\n  {told}\nit may be\n  {may}\n{one}")

    # -- numbers of all sets

    def _check_counts(self, run: Run, seen: Seen, outcomes: Mapping[Set, Sequence[Outcome]]) -> None:
        counts = dict(seen.counts)
        names = [{self._counted(out.state) for out in outs} for outs in outcomes.values()]
        for name in (DONE, FAILED, CANCELLED):
            least, most = sum(one == {name} for one in names), sum(name in one for one in names)
            if not least <= counts[name] <= most:
                raise Broken(f"{counts[name]} {name}, it must be {least} to {most}: {counts}")
        open_ones = counts["waiting"] + counts["running"]
        if counts["total"] != len(names) or sum(counts[n] for n in (DONE, FAILED, CANCELLED)) + open_ones != len(names):
            raise Broken(f"there are {len(names)} sets today, not {counts}")
        if run.complete and open_ones:
            raise Broken(f"the run ended by itself, and sets wait: {counts}\n{seen.words}")

    @staticmethod
    def _counted(state: State) -> str:
        return FAILED if state.name in (REJECTED, GIVEN_UP) else state.name

    def _check_code(self, run: Run, seen: Seen) -> None:
        if seen.code is None:
            return
        unfinished = seen.counts["waiting"] + seen.counts["running"]
        good = seen.counts[DONE] == seen.counts["total"] and not self.has_gaps(run.plan)
        right = {0 if good else 1}
        if not run.complete:
            right = {INTERRUPTED} if unfinished else right | {INTERRUPTED}
        if seen.code not in right:
            raise Broken(f"exit code {seen.code}, not {right}: {dict(seen.counts)}\n{seen.words}")


def _state(state: State) -> str:
    if state.attempt is None:
        return state.name
    return f"{state.name} by {state.attempt.program.name} ({' '.join(sorted(state.attempt.sources))})"


def _cells(one: Set, attempt: Attempt, results: Mapping[str, Result]) -> object:
    try:
        return cells(one, attempt, results)
    except Refused as refused:
        return f"refused: {refused}"
