"""A start loads nothing that serving a read does not need."""

import subprocess
import sys

HEAVY = ("bson", "fhir.resources", "prometheus_client", "pymongo")


def test_a_start_needs_neither_the_classes_of_resources_nor_metrics_nor_another_store_s_driver():
    code = f"import sys, fhir_server.app; print(*(name for name in {HEAVY} if name in sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == []
