"""The commands and the Python that README and docs show."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(lowlabel [^`]+)`")
_PROGRAMS = ("lowlabel", "python", "make", "torchrun", "pip", "ln", "git")
_OURS = re.compile(r"lowlabel [a-z]")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(*pages: Path) -> Iterator[Block]:
    """The fenced blocks of pages, of all by default."""
    for page in pages or PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Block(str(page.relative_to(ROOT)), line, found[1], found[2])


def shell_blocks(*pages: Path) -> Iterator[Block]:
    """The blocks of commands."""
    for block in blocks(*pages):
        first = block.text.split(maxsplit=1)[0]
        is_command = first in (*_PROGRAMS, "for", "export") or re.match(r"[A-Z_]\w*=", first)
        if block.language in ("", "bash", "sh") and is_command:
            yield block


def workflow_steps(*pages: Path) -> Iterator[Block]:
    """The shell commands of the workflows (YAML) that pages show."""
    for block in blocks(*pages):
        if block.language == "yaml":
            for job in yaml.safe_load(block.text)["jobs"].values():
                commands = (step["run"] for step in job["steps"] if "run" in step)
                yield from (Block(block.page, block.line, "sh", each) for each in commands)


def lowlabel_commands(*pages: Path) -> Iterator[tuple[str, list[str]]]:
    """The calls of `lowlabel` in blocks, with their place and arguments.

    Calls with "…" in place of arguments are left out.
    """
    for block in (*shell_blocks(*pages), *workflow_steps(*pages)):
        variables: dict[str, str] = {}
        for line in _lines(block.text):
            if assigned := re.fullmatch(r'(?:export )?(\w+)="?([^"]*)"?', line, re.DOTALL):
                variables[assigned[1]] = assigned[2]
            if loop := re.match(r"for (\w+) in (\S+)", line):
                variables[loop[1]] = loop[2]
            for name, value in variables.items():
                line = line.replace(f"${name}", value)
            if (call := _OURS.search(line)) and "…" not in line:
                yield str(block), shlex.split(line[call.start() :], comments=True)[1:]


def inline_commands(*pages: Path) -> Iterator[tuple[str, list[str]]]:
    """The calls of `lowlabel` in running text, without those that show a part of a call."""
    for page in pages or PAGES:
        for call in _INLINE.findall(_BLOCK.sub("", page.read_text(encoding="utf-8"))):
            if not re.search(r"…|\||\[|\b[A-Z]{1,8}\b", call):
                yield page.name, shlex.split(call)[1:]


def _lines(text: str) -> list[str]:
    """The lines of a block; continued ones, and quotes over several lines, as one."""
    joined = re.sub(r"\\\n\s*", "", text)
    joined = re.sub(r'"[^"]*"', lambda quoted: quoted[0].replace("\n", " "), joined)
    return [line for line in joined.splitlines() if line.strip()]
