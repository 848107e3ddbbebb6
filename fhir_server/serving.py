"""The application object that the web server's worker processes import."""

import os

from fhir_server.app import create_app
from fhir_server.settings import Settings

app = create_app(Settings.from_environment(os.environ))
