"""What is installed is what is used: every import is declared, every requirement has its use, every pin its hashes."""

import ast
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = "checks/clients/requirements"
PINNED = [
    "requirements",
    "requirements-dev",
    CLIENTS,
    f"{CLIENTS}-litellm",
    "checks/audit/requirements",
    "checks/pins/requirements",
    "checks/fuzz/requirements",
]
SERVED = ["app", "migrations", "wsgi.py", "gunicorn.conf.py"]
BESIDE = ["tests", "bench", "tools", "checks"]
PROGRAMS = "checks/clients/programs"
OURS = {"app", "bench", "checks", "tests", "tools", "wsgi"}
# whose package is not named as the module is
PACKAGES = {
    "llama-index": "llama-index-llms-bedrock-converse",
    "psycopg2": "psycopg2-binary",
    "pydantic-ai": "pydantic-ai-slim",
    "strands": "strands-agents",
}
# What nothing imports, and why it is there.
NOT_IMPORTED = {
    "awscli": "a command that checks.clients runs",
    "mypy": "a command of make check",
    "pip-audit": "the command of make audit",
    "pytest-xdist": "pytest's -n",
    "ruff": "a command of make check",
    "types-requests": "read by mypy alone",
    "uv": "the command of make pins",
}


def test_the_gateway_imports_only_what_it_declares() -> None:
    assert _packages(_files(SERVED)) - _declared("requirements") == set()


def test_tests_and_tools_import_only_what_is_declared_for_them() -> None:
    files = [file for file in _files(BESIDE) if ROOT / PROGRAMS not in file.parents]

    declared = [_declared(name) for name in ("requirements", "requirements-dev", "checks/fuzz/requirements")]

    assert _packages(files) - set().union(*declared) == set()


def test_the_programs_of_clients_import_only_what_is_installed_for_them() -> None:
    assert _packages(_files([PROGRAMS])) - _declared(CLIENTS) - _declared(f"{CLIENTS}-litellm") == set()


def test_the_gateway_is_given_nothing_that_it_does_not_import() -> None:
    assert _declared("requirements") - _packages(_files(SERVED)) == set()


def test_every_other_requirement_is_imported_or_has_its_use() -> None:
    declared = set[str]().union(*(_declared(name) for name in PINNED)) - _declared("requirements")
    unused = declared - _packages(_files(BESIDE)) - set(NOT_IMPORTED)

    assert unused == set()


def test_no_use_is_claimed_for_what_is_imported_or_gone() -> None:
    declared = set[str]().union(*(_declared(name) for name in PINNED))

    assert set(NOT_IMPORTED) - declared == set()
    assert set(NOT_IMPORTED) & _packages(_files([*SERVED, *BESIDE])) == set()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_requirement_says_what_it_is_for(name: str) -> None:
    silent = [line for line in _lines(f"{name}.in") if "==" in line and len(line.partition("#")[2].strip()) < 5]

    assert silent == []


@pytest.mark.parametrize("name", PINNED)
def test_every_pin_is_one_version_with_its_hashes(name: str) -> None:
    pins = _pins(name)

    assert [
        pin for pin in pins if not re.match(r"[a-z0-9-]+==\S+( ; [^\\]+)?( --hash=sha256:[0-9a-f]{64})+$", pin)
    ] == []
    assert len(pins) >= len(_declared(name))


@pytest.mark.parametrize("name", PINNED)
def test_what_is_declared_is_pinned_at_the_version_that_is_declared(name: str) -> None:
    assert _versions(_lines(f"{name}.in")).items() - _versions(_pins(name)).items() == set()


def test_tests_run_on_what_the_gateway_runs_on() -> None:
    served, tested = ({re.sub(" ; .*?(?= --hash)", "", pin) for pin in _pins(name)} for name in PINNED[:2])

    assert served - tested == set()
    assert len(served) > 30


@pytest.mark.parametrize("name", [f"{name}.{kind}" for name in PINNED for kind in ("in", "txt")])
def test_nobody_is_told_where_to_install_from(name: str) -> None:
    allowed = re.compile(r"-[rc] \S+\.(in|txt)$|--hash=sha256:")
    options = [line for line in _lines(name) if line.startswith("-") and not allowed.match(line)]

    assert options == []
    assert "://" not in (ROOT / name).read_text()


def test_make_pins_pins_all_of_them() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ").replace("$(CLIENTS)", "checks/clients")
    listed = re.search(r"^PINNED := (.*)$", makefile, re.MULTILINE)
    assert listed

    assert listed[1].split() == PINNED


def test_late_and_nested_imports_count() -> None:
    source = "import os, numpy.linalg\nfrom torch import nn\ndef f():\n    import jax\n    import_module('cupy.x')\n"

    assert set(_modules(source)) == {"numpy", "torch", "jax", "cupy"}


def _files(names: Iterable[str]) -> list[Path]:
    paths = [ROOT / name for name in names]
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))]
    assert found
    return [file for file in found if "node_modules" not in file.parts]


def _packages(files: Iterable[Path]) -> set[str]:
    modules = {_normal(module) for file in files for module in _modules_of(file)}
    return {PACKAGES.get(module, module) for module in modules}


@functools.cache
def _modules_of(file: Path) -> frozenset[str]:
    return frozenset(_modules(file.read_text()))


def _modules(source: str) -> Iterator[str]:
    """The top-level modules it imports that are neither Python's nor ours."""
    for node in ast.walk(ast.parse(source)):
        for name in _named(node):
            module = name.partition(".")[0]
            if module not in OURS and module not in sys.stdlib_module_names:
                yield module


def _named(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case ast.Call(func=ast.Name("import_module"), args=[ast.Constant(value=str(module)), *_]):
            return [module]
    return []


def _declared(name: str) -> set[str]:
    return set(_versions(_lines(f"{name}.in")))


def _versions(lines: Iterable[str]) -> dict[str, str]:
    """Package to version; a version may come with the condition under which it is needed, which is left out."""
    found = (re.match(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;#]+)", line) for line in lines)
    return {_normal(match[1]): match[2] for match in found if match}


def _pins(name: str) -> list[str]:
    """Each on one line, with its hashes."""
    text = (ROOT / f"{name}.txt").read_text().replace("\\\n", "")
    lines = (re.sub(r"\s+", " ", line.partition("#")[0]).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _lines(name: str) -> list[str]:
    lines = (ROOT / name).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _normal(name: str) -> str:
    """As package names are compared: https://packaging.python.org/en/latest/specifications/name-normalization/."""
    return re.sub(r"[-_.]+", "-", name).lower()
