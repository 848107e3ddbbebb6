"""Subscriptions: what a subscriber asks about its own, and the topics to which it subscribes.

A subscription is an entry of its client, so that the two worlds ask about it in a test of their own.
"""

from fhir_server.domain.subscriptions.topics import TOPICS

TOPICS_ASKED = tuple((topic.url, topic.type) for topic in TOPICS.values() if not topic.many)
"""(canonical URL, type) of each topic of one patient."""
BY_SUBSCRIPTION = (
    "/Subscription/{}",
    "/Subscription?_id={}",
    "/Subscription/{}/$status",
    "/Subscription/$status?id={}",
    "/Subscription/{}/$events",
    "/Subscription/{}/$events?eventsSinceNumber=1&content=empty",
)
"""What is asked about each subscription; `{}` stands for its id."""
OPEN = ("/Subscription", "/Subscription/$status", "/Subscription?status=active", "/Subscription?url=https://x.example/")
