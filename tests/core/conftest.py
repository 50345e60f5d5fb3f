"""Tests over other people's recordings and price facts, which are none of the repository's, run where those are."""

from tests.recorded_costs import FACTS
from tests.recordings import FOLDER

collect_ignore = []
if not FOLDER.exists():
    collect_ignore += ["test_recorded_usage.py"]
if not FACTS.exists():
    collect_ignore += ["test_price_facts.py"]
if not (FOLDER.exists() and FACTS.exists()):
    collect_ignore += ["test_recorded_costs.py"]
