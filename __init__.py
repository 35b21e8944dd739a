"""The package for a Python that starts in the folder above a clone called `lowlabel`.

There, Python takes the clone itself for the package, before the installed one. Its packages lie in
this folder and in `src/lowlabel`.
"""

from pathlib import Path

_source = Path(__file__).parent / "src" / "lowlabel"
__path__.insert(0, str(_source))
exec(compile((_source / "__init__.py").read_bytes(), str(_source / "__init__.py"), "exec"))
