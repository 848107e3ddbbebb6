"""The application object that the web server's worker processes import."""

import gc
import os

from fhir_server.app import create_app
from fhir_server.settings import Settings

app = create_app(Settings.from_environment(os.environ))
gc.freeze()  # what the start has made stays: no collection goes through it again
