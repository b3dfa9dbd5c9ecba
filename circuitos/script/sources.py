"""The files of script folders: which there are, whether their names clash, and whether they changed."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from circuitos.script.errors import BadScript

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TEST_FILES = ("test_", "conftest")


class Source(NamedTuple):
    """One file to import: under which name, and the folder that must stand on ``sys.path``."""

    module: str
    file: Path
    folder: Path | None


def sources(entries: Iterable[str | Path]) -> list[Source]:
    """The script files of ``entries``: folders (``*.py``, no tests), single files, or dotted module names.

    Raises ``BadScript`` for what is not there, and for two files that would be one module.
    """
    found: list[Source] = []
    for entry in entries:
        found += _sources(str(entry))
    by_name: dict[str, Source] = {}
    packages: dict[str, Path | None] = {}
    for source in found:
        taken = by_name.setdefault(source.module, source)
        if taken.file != source.file:
            raise BadScript(
                f"Two script files are named {source.module}: {tell(taken.file)} and {tell(source.file)}.",
                file=tell(source.file),
                line=1,
            )
        for package in _packages(source.folder):
            other = packages.setdefault(package, source.folder)
            if other != source.folder or package in by_name:
                raise BadScript(
                    f"Two script folders hold something named {package}: {_folder(other)} and "
                    f"{_folder(source.folder)}; rename one.",
                    file=tell(source.file),
                    line=1,
                )
    return list(by_name.values())


def fingerprint(entries: Iterable[str | Path]) -> str:
    """SHA-256 (hex) of the names and contents of the script folders' files: whatever can change what runs."""
    digest = hashlib.sha256()
    for name, file in _files(entries):
        digest.update(f"{name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def stamp(entries: Iterable[str | Path]) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and change times of the same files: cheap, for "did anything change since I looked?"."""
    return tuple(
        (name, status.st_size, status.st_mtime_ns)
        for name, file in _files(entries)
        for status in [file.stat()]
    )


def _files(entries: Iterable[str | Path]) -> Iterator[tuple[str, Path]]:
    for index, entry in enumerate(entries):
        path = Path(entry)
        if not path.exists():
            for source in _sources(str(entry)):
                yield f"{index}/{source.module}", source.file
        elif path.is_file():
            yield f"{index}/{path.name}", path
        else:
            for folder, folders, names in os.walk(path):
                folders[:] = sorted(
                    name for name in folders if name != "__pycache__" and not name.startswith(".")
                )
                for name in sorted(names):
                    file = Path(folder, name)
                    if not name.startswith(".") and not name.endswith(".pyc") and file.is_file():
                        yield f"{index}/{file.relative_to(path).as_posix()}", file


def _sources(entry: str) -> list[Source]:
    path = Path(entry)
    if path.is_dir():
        return [
            _source(file)
            for file in sorted(path.resolve().glob("*.py"))
            if not file.name.startswith(("_", ".", *_TEST_FILES)) and not file.stem.endswith("_test")
        ]
    if path.is_file() and path.suffix == ".py":
        return [_source(path.resolve())]
    if all(part.isidentifier() for part in entry.split(".")):
        try:
            found = importlib.util.find_spec(entry)
        except ModuleNotFoundError:
            found = None
        if found is not None and found.origin:
            return [Source(entry, Path(found.origin), None)]
    raise BadScript(f"There is no script folder, file or module {entry!r}.", file=entry, line=0)


def _source(file: Path) -> Source:
    """A file under its stem; one that stands in a package (the shipped agents) under its full name."""
    name, folder = file.stem, file.parent
    while (folder / "__init__.py").exists():
        name, folder = f"{folder.name}.{name}", folder.parent
    return Source(name, file, None if "." in name else folder)


def _packages(folder: Path | None) -> list[str]:
    """The packages that stand in a script folder and are imported by its scripts."""
    return [] if folder is None else [file.parent.name for file in folder.glob("*/__init__.py")]


def _folder(folder: Path | None) -> str:
    return folder.name if folder else ""


def refuse_hiding(source: Source) -> None:
    """A script named like a module it may need would be imported in its place, perhaps much later."""
    assert source.folder is not None
    if not source.module.isidentifier():
        raise BadScript(
            f"{source.file.name} is no module name; use letters, digits and underscores.",
            file=tell(source.file),
            line=1,
        )
    hidden = None
    loaded = sys.modules.get(source.module)
    if loaded is not None:
        origin = getattr(loaded, "__file__", None)
        hidden = None if origin and Path(origin).resolve() == source.file else origin or "a part of Python"
    elif source.module in sys.stdlib_module_names:
        hidden = "a part of Python"
    else:
        found = importlib.util.find_spec(source.module)
        if found is not None and found.origin and Path(found.origin).resolve() != source.file:
            hidden = found.origin
    if hidden:
        where = hidden if hidden == "a part of Python" else tell(Path(hidden))
        raise BadScript(
            f"{source.file.name} would hide the module {source.module} ({where}); rename the script.",
            file=tell(source.file),
            line=1,
        )


def tell(file: Path) -> str:
    """A script file as people know it: its folder's name and its own."""
    return f"{file.parent.name}/{file.name}"
