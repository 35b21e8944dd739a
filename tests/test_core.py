import ast
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from lowlabel import paths
from lowlabel import progress as progress_module
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.errors import DataError, InputError, UnknownNameError, UserError
from lowlabel.progress import format_duration, progress_bar
from lowlabel.registry import Registry
from lowlabel.specs import canonical_json, format_spec, parse_spec


def test_spec_round_trip():
    name, options = parse_spec("vit,img_size=(64, 32),rate=1e-3,tag=a=b,flag=True,none=None")
    assert name == "vit"
    assert options == {
        "img_size": (64, 32), "rate": 1e-3, "tag": "a=b", "flag": True, "none": None,
    }  # fmt: skip
    assert parse_spec(format_spec(name, options)) == (name, options)
    assert parse_spec("ncm") == ("ncm", {})


@pytest.mark.parametrize("spec", ["ncm,norm", "ncm,norm=", "ncm,=l2", "ncm,a b=1", "ncm,"])
def test_spec_errors(spec):
    with pytest.raises(InputError, match="is not an option"):
        parse_spec(spec)


def test_spec_refuses_an_option_given_twice():
    with pytest.raises(InputError, match="is given twice"):
        parse_spec("ncm,a=1,a=2")


def test_spec_values_are_never_evaluated():
    assert parse_spec("x,y=__import__('os')")[1] == {"y": "__import__('os')"}


def test_canonical_json_does_not_depend_on_order():
    assert canonical_json({"b": 1, "a": [1, 2]}) == canonical_json({"a": (1, 2), "b": 1})


def test_registry_refuses_duplicates_and_suggests():
    registry: Registry[int] = Registry("method")
    registry.add("ncm", 1)
    registry.add("cosine", 2)
    with pytest.raises(ValueError, match="registered twice"):
        registry.add("ncm", 3)
    with pytest.raises(UnknownNameError, match="unknown method 'ncn'\nDid you mean ncm"):
        registry["ncn"]
    assert (list(registry), len(registry), "ncm" in registry) == (["ncm", "cosine"], 2, True)


def test_input_errors_are_value_errors():
    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, UserError)


def test_home_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path / "here"))
    assert paths.features_dir() == tmp_path / "here" / "features"
    monkeypatch.delenv("LOWLABEL_HOME")
    assert paths.home().name == "lowlabel"


def test_atomic_write_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), paths.atomic_write(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError("half way")
    with pytest.raises(DataError, match="No space left"), paths.atomic_write(path) as temporary:
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir() if item.is_file()] == ["file"]


def test_a_write_that_is_lost_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "file"
    paths.write_file(path, "old ß")
    assert path.read_text(encoding="utf-8") == "old ß"
    write = Path.write_bytes
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", lambda self, data: write(self, data[:2]))
        with pytest.raises(DataError, match="other content is read back"):
            paths.write_file(path, "new")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (tmp_path / "nowhere").stat())
        with pytest.raises(DataError, match=r"cannot write .*file"):
            paths.write_file(path, "new")
    assert path.read_text(encoding="utf-8") == "old ß"
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("lost", [b"new 1", b"new 2"])
def test_files_that_belong_together_are_replaced_together(tmp_path, monkeypatch, lost):
    first, second = tmp_path / "first", tmp_path / "second"
    paths.write_files({first: "old", second: "old"})
    write = Path.write_bytes
    monkeypatch.setattr(
        Path, "write_bytes", lambda self, data: write(self, b"" if data == lost else data)
    )
    with pytest.raises(DataError, match="cannot write"):
        paths.write_files({first: "new 1", second: "new 2"})
    assert (first.read_text(), second.read_text()) == ("old", "old")


def test_writers_with_the_same_process_number_do_not_tear_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path, contents = tmp_path / "file", [letter * 300_000 for letter in "abc"]

    def work(content):
        for _ in range(10):
            paths.write_file(path, content)
            assert path.read_text() in contents

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, contents))
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_killed_processes_are_removed_after_a_day(tmp_path):
    users, fresh = tmp_path / ".notes.tmp", paths.temporary_beside(tmp_path / "a.json")
    old, folder = (paths.temporary_beside(tmp_path / name) for name in ("ß" * 200, "folder"))
    folder.mkdir()
    for path in (users, fresh, old, folder / "inside"):
        path.touch()
    for path in (users, old, folder):
        os.utime(path, (0, 0))
    paths.writable_dir(tmp_path)
    assert set(tmp_path.iterdir()) == {users, fresh}


def test_writable_dir(tmp_path):
    assert paths.writable_dir(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write to the folder .*file"):
        paths.writable_dir(tmp_path / "file")


def test_a_folder_that_fails_its_test_is_left_as_it_was(tmp_path, monkeypatch):
    def failing(self, *args, **kwargs):
        self.write_bytes(b"")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "touch", failing)
    with pytest.raises(DataError, match="No space left"):
        paths.writable_dir(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_devices():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("gpu", "cuda:99"):
        with pytest.raises(InputError, match=f"device {name!r} cannot be used here"):
            resolve_device(name)
    assert describe_device(torch.device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"
    assert peak_memory_mb() > 50


def test_there_is_no_peak_memory_where_nothing_tells_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    assert math.isnan(peak_memory_mb())


WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def waiting_after_import(code="", **environment):
    """Runs code after `import lowlabel`; how threads shall wait, and the standard error."""
    others = {name: value for name, value in os.environ.items() if name not in WAITING}
    report = f"print({{name: os.environ.get(name) for name in {WAITING}}})"
    done = subprocess.run(
        [sys.executable, "-c", f"import lowlabel, os\n{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        env=others | environment,
    )
    return {k: v for k, v in ast.literal_eval(done.stdout).items() if v}, done.stderr


@pytest.mark.slow
def test_threads_that_wait_sleep_soon():
    if not sys.platform.startswith("linux"):
        pytest.skip("libgomp only")
    _, said = waiting_after_import("import lowlabel.fewshot", OMP_DISPLAY_ENV="verbose")
    assert "GOMP_SPINCOUNT = '1000'" in said
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in said


@pytest.mark.parametrize("name", WAITING)
def test_the_users_way_of_waiting_stays(name):
    value = "active" if name == "OMP_WAIT_POLICY" else "7"
    assert waiting_after_import(**{name: value})[0] == {name: value}


@pytest.mark.slow
def test_freed_memory_is_kept_and_given_back():
    code = """
from lowlabel.devices import keep_freed_memory, release_freed_memory
import torch
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
keep_freed_memory()
x = torch.ones(100 * 2**18)
del x
kept = resident()
release_freed_memory()
print(kept - resident())
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("glibc only")
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert float(output.stdout) > 90


def test_progress_on_no_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 20.0, 21.0, 40.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress_bar("work", "img") as progress:
        for done in (0, 38, 40, 100):
            progress(done, 100)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["work: 38/100 img, 2/s, 33 s left", "work: 100/100 img, 2/s"]


def test_slow_work_shows_the_time_of_one_and_never_a_rate_of_0(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 20.0, 200.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with progress_bar("fits", "fit") as progress:
        for done in (0, 0, 3):
            progress(done, 12)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["fits: 0/12 fit", "fits: 3/12 fit, 67 s each, 10 min left"]


def test_the_first_line_comes_before_anything_is_counted(capsys, monkeypatch):
    monkeypatch.setattr(progress_module, "_FIRST_LINE_S", 0.01)
    with progress_bar("drawing", "img") as progress:
        deadline = time.monotonic() + 30
        while not (line := capsys.readouterr().err) and time.monotonic() < deadline:
            time.sleep(0.01)
        progress(1, 2)
    assert line == "drawing …\n"


def test_short_work_prints_nothing(capsys):
    with progress_bar("work", "img") as progress:
        progress(1, 1)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (5_370, "1 h 30 min"),
        (7_200, "2 h"),
        (13_000, "3 h 37 min"),
        (100_000, "28 h"),
        (1e7, "2,778 h"),
    ],
)
def test_durations_are_told_in_the_unit_that_fits(seconds, text):
    assert format_duration(seconds) == text


def test_a_name_that_is_no_utf_8_is_written_as_terminals_show_it(tmp_path):
    paths.write_file(tmp_path / "table", "caf\udce9 ß")
    assert (tmp_path / "table").read_text(encoding="utf-8") == "caf\\udce9 ß"
