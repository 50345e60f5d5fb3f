"""The house keeps its shape: imports point down, nothing is imported late, files and functions stay short."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APP = ROOT / "app"
FILES = sorted(APP.rglob("*.py"))
# What each layer may import of ours. app/__init__.py and app/assembly.py wire them and may import all; settings are
# read by web and them.
MAY_IMPORT = {
    "core": {"core"},
    "gateway": {"core", "gateway"},
    "store": {"core", "store"},
    "upstream": {"core", "upstream"},
    "web": {"core", "gateway", "settings", "web"},
    "settings": {"core", "environment"},
    "environment": {"core"},
}
# Libraries that belong to one layer alone
OWNERS = {
    "flask": "web",
    "werkzeug": "web",
    "click": "web",
    "gunicorn": "web",
    "requests": "upstream",
    "requests_aws4auth": "upstream",
    "botocore": "upstream",
    "urllib3": "upstream",
    "sqlalchemy": "store",
    "psycopg2": "store",
    "flask_sqlalchemy": "store",
    "flask_migrate": "store",
    "alembic": "store",
    "redis": "store",
}
LONGEST_FILE, LONGEST_FUNCTION = 300, 40
NO_NOUNS = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}


def _layer(file: Path) -> str:
    return file.relative_to(APP).parts[0].removesuffix(".py")


def _imports(file: Path) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [alias.name for alias in node.names]
            yield from ((f"{node.module}.{name}" if node.module == "app" else str(node.module), node) for name in names)


def _functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


LAYERED = [file for file in FILES if file not in (APP / "__init__.py", APP / "assembly.py")]


@pytest.mark.parametrize("file", LAYERED, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_down(file: Path) -> None:
    allowed = MAY_IMPORT[_layer(file)]

    wrong = [name for name, _ in _imports(file) if name.split(".")[0] == "app" and name.split(".")[1] not in allowed]
    assert wrong == []


@pytest.mark.parametrize("file", LAYERED, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_library_is_imported_by_the_layer_that_owns_it_alone(file: Path) -> None:
    wrong = [name for name, _ in _imports(file) if OWNERS.get(name.split(".")[0], _layer(file)) != _layer(file)]

    assert wrong == []


@pytest.mark.parametrize("file", sorted((APP / "core").glob("*.py")), ids=lambda file: file.name)
def test_core_imports_the_standard_library_and_itself_alone(file: Path) -> None:
    outside = {name.split(".")[0] for name, _ in _imports(file)} - set(sys.stdlib_module_names) - {"app"}
    assert outside == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_is_imported_inside_a_function_or_for_types_only(file: Path) -> None:
    tree = ast.parse(file.read_text())

    late = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert late == [node.lineno for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_and_functions_stay_short(file: Path) -> None:
    long = {
        function.name: size
        for function in _functions(file)
        if (size := (function.end_lineno or 0) - function.lineno + 1) > LONGEST_FUNCTION
    }

    assert long == {}
    assert len(file.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_is_named_for_a_noun_and_says_what_it_is(file: Path) -> None:
    assert not NO_NOUNS & set(file.stem.split("_"))
    assert ast.get_docstring(ast.parse(file.read_text()))


@pytest.mark.parametrize("layer", sorted(set(MAY_IMPORT) - {"settings", "environment"}))
def test_each_layer_states_its_rule_in_at_most_three_lines(layer: str) -> None:
    rule = ast.get_docstring(ast.parse((APP / layer / "__init__.py").read_text()))

    assert rule
    assert len(rule.splitlines()) <= 3


def test_every_suppressed_check_carries_its_reason() -> None:
    suppression = re.compile(r"# (noqa: [A-Z0-9, ]+|type: ignore\[[a-z-, ]+\])(?P<reason>.*)")
    files = [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    found = [(file, match) for file in files for match in suppression.finditer(file.read_text())]

    assert [f"{file.name}: {match[0]}" for file, match in found if len(match["reason"].strip(" #-")) < 8] == []
    assert len(found) > 10


def test_the_version_has_one_source() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
