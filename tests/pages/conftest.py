"""A browser on the demonstration's pages: the real application, the real store, a real Chromium."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import BaseWSGIServer, make_server

from fhir_server.adapters import opening
from fhir_server.app import build_runtime, create_app
from fhir_server.application.core.runtime import Runtime
from fhir_server.settings.server import Settings
from seed.book import Demonstration
from seed.loading import load_demonstration
from tests.mail import Post, serving

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 850}


class Site:
    """A running server with its demonstration."""

    def __init__(self, app: Flask, demo: Demonstration, runtime: Runtime, post: Post) -> None:
        self.app = app
        self.base = demo.base
        self.post = post
        self.demo = demo
        self.runtime = runtime


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("demonstration")
    settings = Settings(
        "http://127.0.0.1:0", folder, folder / "keys.json", demo=True, log_level="ERROR", request_rates=False
    )
    opening.create_keys(settings.key_file)
    server, post = make_server("127.0.0.1", 0, lambda *_: [], threaded=True), Post()
    with serving(post, None, "none") as mail:
        settings = replace(settings, base_url=f"http://127.0.0.1:{server.server_port}", mail=mail)
        yield from _serve(server, settings, post)


def _serve(server: BaseWSGIServer, settings: Settings, post: Post) -> Iterator[Site]:
    served = build_runtime(settings)
    demo = load_demonstration(served, settings.data_dir)
    server.app = create_app(settings, served)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(server.app, demo, served, post)
    server.shutdown()
    thread.join()
    server.server_close()
    served.ports.store.close()


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    context = chromium.new_context(locale="fr-FR", viewport=DESK, base_url=site.base)
    yield context.new_page()
    context.close()
