"""The application object that the web server's worker processes import."""

import gc
import os

from fhir_server.app import create_app
from fhir_server.settings.server import Settings

_settings = Settings.from_environment(os.environ)
_settings.refuse_unsafe_serving()
app = create_app(_settings)
gc.freeze()  # what the start has made stays: no collection goes through it again
