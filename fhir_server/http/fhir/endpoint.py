"""The FHIR endpoint: one blueprint with the routes of every interaction and operation.

A view that serves several types or operations gets its row, or its operation, from Flask as a default of the rule.
"""

from flask_smorest import Blueprint

from fhir_server.http.fhir import capabilities, read, search, transactions, write
from fhir_server.http.fhir.bundles import history
from fhir_server.http.fhir.exports import delivery
from fhir_server.http.fhir.operations import all_operations
from fhir_server.http.fhir.published import serving
from fhir_server.http.fhir.routing import Route
from fhir_server.http.fhir.subscriptions import serving as subscriptions
from fhir_server.http.request_context import FHIR_PATH

ROUTES: tuple[Route, ...] = (
    *capabilities.ROUTES,
    *serving.ROUTES,
    *read.ROUTES,
    *history.ROUTES,
    *search.ROUTES,
    *write.ROUTES,
    *all_operations.ROUTES,
    *delivery.ROUTES,
    *subscriptions.ROUTES,
    *transactions.ROUTES,
)
fhir = Blueprint("fhir", __name__, url_prefix=FHIR_PATH, description="The FHIR endpoint")

for _route in ROUTES:
    fhir.add_url_rule(
        _route.path,
        endpoint=_route.name,
        view_func=_route.view,
        methods=[_route.method],
        defaults=_route.given,
        tags=[_route.tag],
    )
