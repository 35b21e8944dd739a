import os

from lowlabel.benchmarks.speed.peers import installed_peers
from lowlabel.benchmarks.speed.processes import Run, in_new_process, rows_with_ratio, timed
from lowlabel.benchmarks.speed.timing import median_seconds


def test_a_new_process_is_another_process():
    assert in_new_process(os.getpid) != os.getpid()


def test_a_timed_run_has_seconds_memory_and_score():
    run = timed(lambda: 61.5)
    assert run.seconds >= 0
    assert run.peak_mb > 10
    assert run.score == 61.5


def test_rows_have_medians_ratios_and_the_largest_memory():
    limit = [Run(seconds, 100, None) for seconds in (1, 9, 2)]
    ours = [Run(seconds, peak, 60.0) for seconds, peak in ((4, 100), (3, 120.4), (5, 110))]
    rows = rows_with_ratio({"bare": limit, "ours": ours}, "bare", "× bare", "%")
    assert rows == [
        {"job": "bare", "s": 2, "× bare": 1, "peak, MiB": 100, "%": None},
        {"job": "ours", "s": 4, "× bare": 2, "peak, MiB": 120, "%": 60.0},
    ]


def test_jobs_run_in_turn_after_a_warm_up():
    calls = []
    seconds = median_seconds({job: lambda job=job: calls.append(job) for job in "ab"}, repeats=2)
    assert calls == ["a", "b"] * 3
    assert seconds.keys() == {"a", "b"}


def test_a_missing_peer_is_left_out_by_name(capsys):
    assert installed_peers({"numpy's peer": "numpy", "other": "no_such_package"}) == [
        "numpy's peer"
    ]
    assert "left out: other (no_such_package is not installed)" in capsys.readouterr().out
