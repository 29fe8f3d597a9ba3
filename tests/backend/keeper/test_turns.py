"""Fair turns: who starts next, who makes room, and how long the others wait."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import pytest

from backend.keeper import turns
from backend.keeper.turns import (
    ENDING_SECONDS,
    NEVER,
    SHORT_TURN_SECONDS,
    TURN_SECONDS,
    Job,
    Turns,
    forecast,
    in_order,
    next_turns,
)

NOW = 1000.0


def waiting(name: str, **about) -> Job:
    """Return a waiting run; the first letter of its name is its owner."""
    return Job(name, owner=name[0], created=name[1:], **about)


def running(name: str, seconds: float, **about) -> Job:
    """Return a run that has been simulating for some time."""
    began = {"running": True, "simulating": True, "turn_began": NOW - seconds}
    return waiting(name, **{**began, **about})


def paused(name: str, ago: float, **about) -> Job:
    return waiting(name, turn_began=NOW - ago, **about)


def due(*jobs: Job, cores: int = 1, **last_turns: float) -> Turns:
    return next_turns(jobs, cores, NOW, last_turns)


# --- who starts next ------------------------------------------------------------------------


def test_runs_of_one_owner_start_in_the_order_of_their_submission():
    jobs = [waiting("a3"), waiting("a1"), waiting("a2")]
    assert due(*jobs, cores=2) == Turns(start=("a1", "a2"))
    assert [job.id for job in in_order(jobs)] == ["a1", "a2", "a3"]


def test_a_free_core_goes_to_the_owner_who_uses_the_fewest():
    jobs = [running("a1", 5), waiting("a2"), waiting("b9")]
    assert due(*jobs, cores=2) == Turns(start=("b9",))
    wide = [running("a1", 5, cores=3), running("b1", 5), waiting("a2"), waiting("b9")]
    assert due(*wide, cores=5).start == ("b9",)


def test_among_owners_with_nothing_in_progress_the_last_turn_decides():
    jobs = [waiting("a1"), waiting("b2"), waiting("c3")]
    assert due(*jobs) == Turns(start=("a1",))
    assert due(*jobs, a=NOW - 5, b=NOW - 9) == Turns(start=("c3",))
    assert due(*jobs, a=NOW - 5, b=NOW - 9, c=NOW - 1) == Turns(start=("b2",))


def test_a_hundred_short_runs_of_one_owner_leave_others_every_second_turn():
    jobs = {f"a{i:03}": waiting(f"a{i:03}") for i in range(100)}
    jobs |= {name: waiting(name) for name in ("b1", "b2", "b3")}
    last: dict[str, float] = {}
    started = []
    for second in range(8):
        (run_id,) = next_turns(jobs.values(), 1, NOW + second, last).start
        started.append(run_id)
        last[jobs.pop(run_id).owner] = NOW + second  # it ends within the second
    assert started == ["a000", "b1", "a001", "b2", "a002", "b3", "a003", "a004"]


def test_several_cores_are_shared_between_owners():
    jobs = [waiting(name) for name in ("a1", "a2", "a3", "b4", "b5", "c6")]
    assert due(*jobs, cores=4).start == ("a1", "b4", "c6", "a2")
    assert len(due(*jobs, cores=9).start) == 6


def test_a_wide_run_is_not_overtaken():
    jobs = [running("a1", 3), waiting("b2", cores=4), waiting("c3")]
    assert due(*jobs, cores=4) == Turns()


def test_sweeps_come_last_and_do_not_count_for_others():
    sweep = {"sweep": True}
    jobs = [running("s1", 500, **sweep), waiting("s2", **sweep), waiting("a3")]
    assert due(*jobs) == Turns(start=("a3",))
    assert due(*jobs, cores=3) == Turns(start=("a3", "s2"))
    assert due(running("a1", 500), waiting("s2", **sweep)) == Turns()


# --- who makes room -------------------------------------------------------------------------


def test_a_long_run_makes_room_for_a_new_run_of_another_owner_after_a_short_turn():
    others = [waiting("a2"), waiting("a3"), waiting("b4")]
    assert due(running("a1", SHORT_TURN_SECONDS - 0.1), *others) == Turns()
    assert due(running("a1", SHORT_TURN_SECONDS), *others) == Turns(pause=("a1",))


def test_runs_that_have_run_before_take_one_minute_turns():
    assert due(running("a1", TURN_SECONDS - 0.1), paused("b2", 70)) == Turns()
    assert due(running("a1", TURN_SECONDS), paused("b2", 70)) == Turns(pause=("a1",))


def test_nobody_makes_room_for_another_run_of_an_owner_with_one_in_progress():
    assert due(running("a1", 900), running("b1", 900), waiting("b2"), cores=2) == Turns()
    assert due(running("a1", 900), waiting("a2")) == Turns()


def test_the_core_that_is_freed_goes_to_the_run_that_it_was_freed_for():
    jobs = [waiting("a2"), waiting("b3")]
    still = due(running("a1", 30, pausing=True), *jobs)
    assert still == Turns()  # no second run has to make room meanwhile
    assert due(running("a1", 30, pausing=True), running("c1", 30), *jobs, cores=2) == Turns()
    assert due(paused("a1", 31), *jobs) == Turns(start=("b3",))


def test_the_owner_with_the_largest_share_makes_room_with_its_longest_turn():
    jobs = [running("a1", 70), running("a2", 80), running("b1", 90), waiting("c1")]
    assert due(*jobs, cores=3) == Turns(pause=("a2",))
    assert due(*jobs, waiting("d2"), cores=3) == Turns(pause=("a2",))  # one after the other


def test_a_run_that_needs_several_cores_gets_them_all_or_none():
    late, early = running("a2", 50), running("a2", 5)
    wide = waiting("b1", cores=2)
    assert due(running("a1", 50), late, wide, cores=2) == Turns(pause=("a1", "a2"))
    assert due(running("a1", 50), early, wide, cores=2) == Turns()


def test_a_run_that_is_about_to_end_or_has_not_simulated_yet_does_not_make_room():
    for about in ({"seconds_left": ENDING_SECONDS}, {"simulating": False}):
        assert due(running("a1", 900, **about), waiting("b1")) == Turns()
    assert due(running("a1", 900, seconds_left=11.0), waiting("b1")).pause == ("a1",)


def test_a_new_run_starts_alongside_one_that_cannot_be_resumed():
    stubborn = running("a1", 30, cores=2, resumable=False)
    assert due(stubborn, waiting("b1", cores=2), cores=2) == Turns(start=("b1",))
    beside = [stubborn, running("b1", 20, cores=2)]
    assert due(*beside, waiting("b2"), waiting("a2"), cores=2) == Turns()
    assert due(*beside, waiting("c2"), cores=2) == Turns(pause=("b1",))
    fresh = replace(stubborn, turn_began=NOW - 1)
    assert due(fresh, waiting("b1", cores=2), cores=2) == Turns()


# --- forecast -------------------------------------------------------------------------------


def test_the_wait_is_the_remaining_time_of_the_runs_ahead():
    jobs = [running("a1", 5, seconds_left=40.0), waiting("a2", seconds_left=60.0), waiting("a3")]
    assert forecast(jobs, 1, NOW) == pytest.approx({"a2": 40, "a3": 100}, abs=0.1)
    assert forecast(jobs, 2, NOW) == pytest.approx({"a2": 0, "a3": 40}, abs=0.1)


def test_the_wait_counts_the_turns_of_others():
    jobs = [running("a1", 4, seconds_left=900.0), paused("b2", 30, seconds_left=900.0)]
    new = waiting("c3", seconds_left=8.0)
    assert forecast(jobs, 1, NOW) == pytest.approx({"b2": 56}, abs=0.1)
    # c3 starts after the rest of a short turn, and b2 when c3 has ended
    assert forecast([*jobs, new], 1, NOW) == pytest.approx({"c3": 6, "b2": 14}, abs=0.1)
    assert list(forecast([*jobs, new], 1, NOW, until="c3")) == ["c3"]


def test_a_wait_for_a_run_of_unknown_length_is_unknown():
    unknown = running("a1", 5, seconds_left=None)
    assert forecast([unknown, waiting("a2", seconds_left=1.0)], 1, NOW) == {}
    assert forecast([unknown, waiting("b2", seconds_left=1.0)], 1, NOW) == pytest.approx(
        {"b2": 5}, abs=0.1
    )


def test_a_run_asked_to_make_room_counts_as_having_made_it():
    jobs = [running("a1", 11, pausing=True, seconds_left=90.0), waiting("b2", seconds_left=5.0)]
    assert forecast(jobs, 1, NOW) == pytest.approx({"b2": 0, "a1": 5}, abs=0.1)


def test_the_forecast_of_a_class_takes_little_time():
    class_ = [
        waiting(f"{chr(65 + student)}{run}", cores=2, seconds_left=300.0)
        for student in range(30)
        for run in range(4)
    ]
    began = time.process_time()
    starts = forecast(class_, 2, NOW)
    assert len(starts) >= 30
    last = max(starts[f"{chr(65 + student)}0"] for student in range(30))
    assert last == pytest.approx(29 * SHORT_TURN_SECONDS, abs=1)
    assert time.process_time() - began < 20


# --- the rules in the long run --------------------------------------------------------------


class Simulated:
    """Keeper and workers in simulated time, with workers that need a while to start and stop."""

    def __init__(self, seed: int, cores: int):
        self.dice = random.Random(seed)
        self.cores, self.now = cores, 0.0
        self.jobs: dict[str, Job] = {}
        self.worked: dict[str, float] = {}
        self.first: dict[str, float] = {}
        self.stops: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.started = self.most = 0

    def submit(self, owner: str, seconds: float, cores: int = 1) -> str:
        run_id = f"{owner}{len(self.worked):03}"
        self.worked[run_id] = 0.0
        self.jobs[run_id] = Job(run_id, owner, cores, f"{self.now:09}", seconds_left=seconds)
        return run_id

    def poll(self) -> None:
        """Advance by a second."""
        self.now += 1.0
        for run_id, job in list(self.jobs.items()):
            if job.running and self.now >= self.stops.get(run_id, turns.math.inf):
                del self.stops[run_id]
                self.jobs[run_id] = replace(job, running=False, simulating=False, pausing=False)
            elif job.running and self.now - job.turn_began > turns.RESTART_SECONDS:
                self.worked[run_id] += 1.0
                left = job.seconds_left - 1.0
                self.jobs[run_id] = replace(job, simulating=True, seconds_left=left)
                if left <= 0:
                    del self.jobs[run_id]
                    self.stops.pop(run_id, None)
        taken = next_turns(self.jobs.values(), self.cores, self.now, self.last)
        for run_id in taken.start:
            job = self.jobs[run_id]
            assert not job.running
            self.first.setdefault(run_id, self.now)
            self.last[job.owner] = self.now
            self.started += 1
            self.jobs[run_id] = replace(job, running=True, turn_began=self.now)
        for run_id in taken.pause:
            assert not self.jobs[run_id].pausing
            self.jobs[run_id] = replace(self.jobs[run_id], pausing=True)
            self.stops[run_id] = self.now + self.dice.choice([1.0, 3.0])
        self.most = max(self.most, sum(job.cores for job in self.jobs.values() if job.running))

    def until_done(self, run_id: str) -> float:
        began = self.now
        while run_id in self.jobs:
            self.poll()
        return self.now - began


def test_four_long_runs_of_one_browser_delay_a_short_one_of_another_by_one_short_turn():
    keeper = Simulated(1, cores=2)
    for _ in range(4):
        keeper.submit("a", 200, cores=2)
    keeper.poll()
    short = keeper.submit("b", 8, cores=2)
    assert keeper.until_done(short) <= SHORT_TURN_SECONDS + 3 + turns.RESTART_SECONDS + 8 + 2


def test_long_runs_of_three_owners_progress_equally_and_lose_little_time_by_taking_turns():
    keeper = Simulated(2, cores=1)
    runs = [keeper.submit(owner, 3000) for owner in "abc"]
    for _ in range(1800):
        keeper.poll()
    shares = [keeper.worked[run] for run in runs]
    assert max(shares) - min(shares) <= TURN_SECONDS
    assert sum(shares) > 0.9 * 1800


@pytest.mark.parametrize("seed", range(20))
def test_every_run_of_a_random_class_ends_and_no_core_is_taken_twice(seed):
    keeper = Simulated(seed, cores=keeper_cores(seed))
    dice, submitted = random.Random(seed), []
    for _ in range(25):
        for _ in range(dice.randrange(20)):
            keeper.poll()
        length, wide = dice.choice([3, 8, 30, 300]), dice.randint(1, keeper.cores)
        submitted.append((keeper.submit(dice.choice("abcdef"), length, wide), length))
    for _ in range(25 * 1000):
        if not keeper.jobs:
            break
        keeper.poll()
    assert not keeper.jobs and keeper.most <= keeper.cores
    assert all(keeper.worked[run_id] == length for run_id, length in submitted)


def keeper_cores(seed: int) -> int:
    return 1 + seed % 4


def test_a_forecast_comes_true():
    for seed in range(5):
        keeper = Simulated(seed, cores=2)
        dice = random.Random(seed)
        for _ in range(8):
            keeper.submit(dice.choice("abc"), dice.choice([8, 40, 200]), dice.choice([1, 2]))
        keeper.poll()
        began = keeper.now
        expected = forecast(keeper.jobs.values(), 2, keeper.now, keeper.last)
        while keeper.jobs:
            keeper.poll()
        for run_id, wait in expected.items():
            assert keeper.first[run_id] - began == pytest.approx(wait, rel=0.4, abs=20)


def test_a_run_that_has_had_no_worker_is_new():
    assert waiting("a1").new and waiting("a1").turn_began == NEVER
    assert not paused("a1", 5).new
