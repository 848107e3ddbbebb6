"""Registration of all pages: importing a module of pages adds its routes to a blueprint."""

from flask import Flask
from flask_smorest import Api

from fhir_server.http.pages import language
from fhir_server.http.pages.base import site
from fhir_server.http.pages.developer import console
from fhir_server.http.pages.family import carers, directory, guardians, joining, keeping, people, switching
from fhir_server.http.pages.frame import start
from fhir_server.http.pages.frame.routes import portal
from fhir_server.http.pages.officer import case, matrix_versions, queue, review, suspending, trail, trail_file
from fhir_server.http.pages.operator import installation, state, tasks
from fhir_server.http.pages.patient import (
    audience,
    contents,
    contesting,
    documents,
    journal,
    one_notice,
    own_documents,
    withholding,
)
from fhir_server.http.pages.professional import accesses, depositing, emergencies, evidence, finding, reading
from fhir_server.http.pages.public import accessibility, home, keys, security, transparency, trying, who_reads
from fhir_server.http.pages.public.home import OPENAPI
from fhir_server.http.pages.sharing import check_up, codes
from fhir_server.http.pages.sign_in import account, authorize, factors, notices, passkeys, upstream
from fhir_server.http.pages.sign_in.frame import oauth_pages
from fhir_server.http.pages.space import apps, emergency, journal_export, my_space, requests
from fhir_server.http.pages.space_export import copy

PAGE_MODULES = (
    home,
    transparency,
    trying,
    who_reads,
    keys,
    security,
    accessibility,
    console,
    start,
    documents,
    audience,
    withholding,
    people,
    directory,
    carers,
    guardians,
    joining,
    keeping,
    switching,
    apps,
    emergency,
    journal_export,
    requests,
    my_space,
    contents,
    journal,
    contesting,
    one_notice,
    own_documents,
    codes,
    check_up,
    copy,
    finding,
    evidence,
    reading,
    depositing,
    accesses,
    emergencies,
    queue,
    review,
    case,
    suspending,
    matrix_versions,
    trail,
    trail_file,
    state,
    tasks,
    installation,
    authorize,
    account,
    factors,
    notices,
    passkeys,
    upstream,
)
"""Modules that add routes to the three blueprints: those of the site, of the sign-in and of the portal."""


def register(app: Flask, api: Api) -> None:
    """Register the pages."""
    language.install(app)
    app.extensions[OPENAPI] = api
    app.register_blueprint(oauth_pages)
    app.register_blueprint(portal)
    app.register_blueprint(site)
