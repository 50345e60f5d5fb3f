"""OUTCROP_PRICES: the JSON itself or a file of it; what cannot be right stops the start with its line and field."""

from pathlib import Path

import pytest

from app.environment import SettingsError
from app.settings import Settings

GOOD = '{"models": {"amazon.nova-pro-v1:0": {"regional": {"input": 1}}}}'
BAD = '{"models": {\n "amazon.nova-pro-v1:0": {"regional": {"input": -1}}}}'


def prices(value: str, folder: Path) -> str | None:
    environment = {"OUTCROP_PRICES": value, "DATABASE_URL": f"sqlite:///{folder}/outcrop.db"}
    return Settings.from_environment(environment, folder).prices


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(GOOD, encoding="utf-8-sig")  # as some editors write it

    assert prices(str(file), tmp_path) == GOOD


def test_a_wrong_file_stops_the_start_with_its_name_line_and_field(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(BAD)

    with pytest.raises(SettingsError) as raised:
        prices(str(file), tmp_path)
    assert str(raised.value).startswith(
        f"OUTCROP_PRICES='{file}': line 2: models.amazon.nova-pro-v1:0.regional.input: expected US dollars"
    )


@pytest.mark.parametrize("text", [BAD, '{"model": {}}', "{"])
def test_wrong_json_in_the_variable_stops_the_start(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^OUTCROP_PRICES: line [12]: "):
        prices(text, tmp_path)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^OUTCROP_PRICES='/nowhere/prices.json': expected a JSON file"):
        prices("/nowhere/prices.json", tmp_path)
