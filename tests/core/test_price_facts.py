"""The book that ships is what the facts make that it came from."""

import json
from decimal import Decimal
from importlib import resources

from tests.recorded_costs import FACTS
from tools.price_book import book_from

SHIPPED = json.loads(resources.files("app.core").joinpath("price_book.json").read_text())


def test_the_shipped_book_is_what_the_facts_make() -> None:
    content = json.loads(FACTS.read_text(), parse_float=Decimal, parse_int=Decimal)

    assert book_from(content, SHIPPED) == SHIPPED
    assert book_from(content, {}) == SHIPPED
