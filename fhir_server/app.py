"""The composition root: the only module, besides the command line, that knows every part."""

import gc
import os
from dataclasses import replace
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask

from consent_rules.matrix import schedule
from consent_rules.matrix.table import MatrixError
from consent_rules.rule_profile import ProfileError, RuleProfile, from_file, names, profile
from fhir_server import telemetry, worker
from fhir_server.adapters import opening
from fhir_server.adapters.mail import SmtpMailer
from fhir_server.adapters.system import SystemClock
from fhir_server.adapters.webhooks import GuardedPoster, GuardedRepository
from fhir_server.application.bundles.handlers import demand_handlers
from fhir_server.application.core.runtime import Runtime, Stamps, WatchedSpaces
from fhir_server.application.outbox import metrics as outbox_metrics
from fhir_server.application.outbox import progress
from fhir_server.http import admission, errors, management, request_context, request_metrics, request_rates
from fhir_server.http.fhir import capabilities, endpoint, openapi
from fhir_server.http.oauth import discovery, endpoints
from fhir_server.http.pages import all_pages, language
from fhir_server.http.pages.operator.installation import INSTALLATION, Installation
from fhir_server.http.pages.public import matrix_api, security, status
from fhir_server.http.proxies import TrustedProxies
from fhir_server.http.request_context import FHIR_PATH
from fhir_server.metrics import counting
from fhir_server.oauth.base.options import of_settings
from fhir_server.ports.surroundings import Ports
from fhir_server.settings import limits, telling
from fhir_server.settings.server import Settings, SettingsError

_PARTS = (capabilities, discovery, endpoints, status)
"""Modules whose routes no OpenAPI document describes."""


def open_ports(settings: Settings) -> Ports:
    """Open the stores that the settings name.

    Raises: the adapters' errors, with a plain text, when a key or a store is missing, wrong or unsafe.
    """
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"HABILIS_DATA_DIR: {settings.data_dir} cannot be made: {error.strerror}") from error
    if settings.store == "mongodb":
        uri = settings.mongodb_uri.get_secret_value()
        opened = opening.open_mongo(uri, settings.mongodb_database, settings.data_dir, settings.key_file)
    else:
        opened = opening.open_sqlite(settings.data_dir, settings.key_file)
    domain = str(urlsplit(settings.base_url).hostname)
    mailer = SmtpMailer(settings.mail, domain) if settings.mail else None
    feed = settings.audit_feed
    repository = GuardedRepository(feed.url, feed.token) if feed else None
    return replace(opened, mail=mailer, webhooks=GuardedPoster() if settings.webhooks else None, repository=repository)


def build_runtime(settings: Settings, ports: Ports | None = None) -> Runtime:
    """Build the runtime of a server; `ports` replaces the stores that the settings name."""
    versions, rules = _matrices(settings), _profile(settings)  # raises before any store is opened
    opened = ports or open_ports(settings)
    return Runtime(
        ports=opened,
        matrices=versions,
        profile=rules,
        fhir_base=settings.fhir_base,
        cursor_key=opening.cursor_key(settings.key_file),
        refuse_wrong_size=settings.wrong_size == "refuse",
        withdrawal_status=settings.withdrawal_status,
        professional_level=settings.professional_level,
        time_zone=_time_zone(settings),
        stamps=Stamps(opened.store.newest() or Stamps().newest),
        event_readers=(counting.happened,) if settings.metrics_port else (),
        watched=WatchedSpaces(),
    )


def served_app() -> Flask:
    """Build the application of one worker process of the web server, from the environment.

    Raises: SettingsError.
    """
    settings = Settings.from_environment(os.environ)
    settings.refuse_unsafe_serving()
    served = build_runtime(settings)
    app = create_app(settings, served)
    if settings.metrics_port:
        _show_metrics(settings, settings.metrics_port, served)
    gc.freeze()  # the garbage collector skips what the start has created
    if settings.worker:
        embedded = worker.build(served)
        embedded.start()
        Finalize(None, embedded.stop, exitpriority=1)  # so that other processes need not wait for its leases
    return app


def create_app(settings: Settings, served: Runtime | None = None) -> Flask:
    """Build the web application."""
    telemetry.configure(settings.log_level)
    demand_handlers()
    limits.put_in_force(settings.limits)
    app = request_context.Server(__name__)
    app.config.update(MAX_FORM_MEMORY_SIZE=1024 * 1024, DEMO=settings.demo)
    app.config["DATA_DIR"], app.config[security.SETTING] = str(settings.data_dir), settings.security
    app.extensions[INSTALLATION] = Installation(telling.told(settings), settings.key_file)
    app.extensions[progress.EXTENSION] = progress.Measure([lane.name for lane in worker.LANES])
    app.config[language.TIME_ZONE] = _time_zone(settings)
    app.extensions[request_context.OPTIONS_EXTENSION] = of_settings(settings)
    request_context.install(app, served or build_runtime(settings))
    if settings.proxies.networks:
        behind = TrustedProxies(app.wsgi_app, settings.proxies)
        app.wsgi_app = behind  # type: ignore[method-assign]  # how Flask wants middleware to be installed
    admission.install(app, settings.limits, settings.threads)
    if settings.request_rates:
        request_rates.install(app)
    api = openapi.api_of(app, settings.fhir_base.removesuffix(FHIR_PATH))
    api.register_blueprint(endpoint.fhir)
    api.register_blueprint(matrix_api.matrix_api)
    all_pages.register(app, api)
    for part in _PARTS:
        part.register(app)
    errors.install(app)
    if settings.metrics_port:
        request_metrics.install(app)
    return app


def _show_metrics(settings: Settings, port: int, served: Runtime) -> None:
    """Count what this process does, and show the metrics of all processes of the server."""
    from fhir_server.metrics import exposition  # noqa: PLC0415 - its library is heavy, and most starts need none of it

    folder = settings.metrics_dir
    if not counting.begin(folder):
        return
    page = partial(exposition.written, folder, partial(outbox_metrics.read, served))
    management.open_port((settings.metrics_host, port), folder / "port", page)


def _time_zone(settings: Settings) -> ZoneInfo:
    try:
        return ZoneInfo(settings.time_zone)
    except (ValueError, OSError, ZoneInfoNotFoundError) as problem:
        raise SettingsError("HABILIS_TIME_ZONE must be the name of a time zone, such as Europe/Paris") from problem


def _profile(settings: Settings) -> RuleProfile:
    """Return the rule profile: a packaged one, or the operator's file."""
    chosen = settings.rule_profile
    try:
        return profile(chosen) if chosen in names() else from_file(Path(chosen))
    except ProfileError as problem:
        raise SettingsError(f"HABILIS_RULE_PROFILE: {problem}") from problem


def _matrices(settings: Settings) -> schedule.Schedule:
    """Return the versions of the matrix, those of the operator's folder included."""
    found = schedule.packaged()
    try:
        if settings.matrix_dir:
            found = schedule.extended(found, settings.matrix_dir)
    except MatrixError as problem:
        raise SettingsError(f"HABILIS_MATRIX_DIR: {problem}") from problem
    today = SystemClock().now().date()
    try:
        current = found.since(today)
    except MatrixError as problem:
        raise SettingsError(f"{problem}: set the clock of this machine, which says that today is {today}") from problem
    inferred = [version.version for version in current if version.has_inferred_grants]
    if inferred and not (settings.demo or settings.accept_inferred_matrix):
        message = (
            f"the matrix of {inferred[0]} holds grants that no official source states; "
            "set HABILIS_ACCEPT_INFERRED_MATRIX=yes to serve it, or put the official one into HABILIS_MATRIX_DIR"
        )
        raise SettingsError(message)
    return found
