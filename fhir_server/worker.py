"""The table of lanes: what is done after an answer, or without any request. New work is one row here."""

from collections.abc import Sequence
from datetime import timedelta

from fhir_server.application.cases import emergencies, reported
from fhir_server.application.core import audit_log
from fhir_server.application.core.runtime import Runtime
from fhir_server.application.detection import looks
from fhir_server.application.exports import planning
from fhir_server.application.notices import audit_feed, delivery, mails, webhooks
from fhir_server.application.outbox.lanes import NOTHING, Lane
from fhir_server.application.outbox.worker import Worker
from fhir_server.application.spaces import terms
from fhir_server.application.subscriptions import delivery as subscriptions
from fhir_server.ports.outbox import Pending
from fhir_server.ports.store import Change


def tidy(runtime: Runtime, _message: Pending) -> Change:
    """Remove expired entries of the vault, and counters. Nothing depends on it: every use compares the time."""
    runtime.ports.vault.purge(runtime.now())
    runtime.ports.store.purge_counters(runtime.now())
    return NOTHING


def plan_notice(runtime: Runtime, message: Pending) -> Change:
    """Put a message for each mail and each call of an app that a notice leads to."""
    notice = message.body.decode()
    return Change((), outbox=(*delivery.mails_about(runtime, notice), *webhooks.calls_about(runtime, notice)))


def send_mail(runtime: Runtime, message: Pending) -> Change:
    """Send one mail. Raises: MailUnavailable."""
    delivery.send(runtime, message.body)
    return NOTHING


def call_app(runtime: Runtime, message: Pending) -> Change:
    """Call one app about one notice. Raises: WebhookFailed; Later while the app rests."""
    webhooks.call(runtime, message.body)
    return NOTHING


NOTICES = Lane(audit_log.NOTICES_LANE, plan_notice, together=20)
MAILS = Lane(mails.LANE, send_mail, tries=48, first_pause=timedelta(seconds=10))
"""Mails and calls are tried for about a day and a half: a mail server or an app may be out of reach for that long."""
CALLS = Lane(webhooks.LANE, call_app, tries=48, first_pause=timedelta(seconds=10))
TIDYING = Lane("tidying", tidy, every=timedelta(minutes=5))
FEEDS = (audit_feed.FEED, audit_feed.ALONE)
OF_ROOMS = (terms.LANE, reported.LANE, emergencies.LANE, looks.LANE, planning.LANE)
LANES: Sequence[Lane] = (TIDYING, *OF_ROOMS, NOTICES, MAILS, CALLS, *subscriptions.LANES, *FEEDS)


def build(runtime: Runtime) -> Worker:
    """Build the worker of this process."""
    return Worker(runtime, LANES)
