"""The wheel contains every package and data file, and works without the checkout."""

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lowlabel

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the files that git tracks, without leftovers of builds."""
    copy, output = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(output)]
    subprocess.run([*command, str(copy)], check=True, capture_output=True)
    (built,) = output.glob("*.whl")
    return built


def mapped(config: configparser.ConfigParser) -> dict[str, Path]:
    lines = config["options"]["package_dir"].split("\n")
    pairs = (line.split("=") for line in lines if line.strip())
    return {name.strip(): ROOT / folder.strip() for name, folder in pairs}


def on_disk(config: configparser.ConfigParser) -> dict[str, Path]:
    """Every folder with an `__init__.py`, by its import name."""
    return {
        ".".join([name, *init.parent.relative_to(folder).parts]): init.parent
        for name, folder in mapped(config).items()
        for init in folder.rglob("__init__.py")
    }


def test_setup_cfg_lists_every_package(config):
    listed = config["options"]["packages"].split()
    assert listed == sorted(listed)
    assert set(listed) == set(on_disk(config))


@pytest.mark.slow
def test_the_wheel_contains_every_source_and_data_file(config, wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set()
    for package, folder in on_disk(config).items():
        below = package.replace(".", "/")
        expected |= {f"{below}/{path.name}" for path in folder.glob("*.py")}
    for package, patterns in config["options.package_data"].items():
        folder = mapped(config)[package]
        for pattern in patterns.split():
            found = {path.relative_to(folder).as_posix() for path in folder.glob(pattern)}
            assert found, f"{package} has no {pattern}"
            expected |= {f"{package.replace('.', '/')}/{name}" for name in found}
    assert inside == expected


def test_the_modules_that_docs_run_exist(config):
    texts = [
        path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
    ]
    modules = {name for text in texts for name in re.findall(r"python -m (lowlabel[\w.]*)", text)}
    assert "lowlabel.benchmarks.speed.training" in modules
    packages = on_disk(config)
    for module in modules - packages.keys():
        package, _, name = module.rpartition(".")
        assert (packages[package] / f"{name}.py").is_file(), module


@pytest.mark.slow
def test_the_wheel_works_without_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in type(f).__module__"
        " and '__editable__' not in getattr(f, '__module__', '')]\n"
        "from lowlabel.benchmarks import load_suite, suite_names\n"
        "from lowlabel.datasets import DATASETS\n"
        "from lowlabel.results import load_references\n"
        "import lowlabel\n"
        "print(lowlabel.__file__, len(suite_names()), len(load_references()) > 20)\n"
        "print(DATASETS['cub'].division('feat').name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


def test_run_benchmark_does_not_hide_an_installed_datasets(tmp_path):
    """The root contains `datasets/`, which must not precede an installed `datasets`."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("installed = True")
    code = (
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r}); sys.path.append({str(tmp_path)!r})\n"
        f"runpy.run_path({str(ROOT / 'run_benchmark.py')!r}, run_name='imported')\n"
        "import datasets; print(datasets.installed)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    assert done.stdout == "True\n", done.stderr


def test_the_package_is_found_from_the_folder_above_the_clone(tmp_path):
    (tmp_path / "lowlabel").symlink_to(ROOT)
    code = "import lowlabel.datasets, lowlabel.cli; print(lowlabel.__version__)"
    for command in (["-c", code], ["-m", "lowlabel", "--version"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split()[-1] == lowlabel.__version__
