"""Who: coaches, clients, engagements and the clients' consents."""

from __future__ import annotations

import sqlalchemy as sa

from coachops.db.coached import clients_of
from coachops.db.models import Client, Coach, Consent, Engagement
from coachops.db.models.people import CONSENT_KINDS
from coachops.export.definitions import Column, Dataset, ForeignKey, Scope, Withheld

C, F = Column, ForeignKey

NOT_SHARED = "(not shared)"
"""The name of a client who is another coach's now, in an export of the one who held past sessions."""

COACHES = Dataset(
    "coaches", "1.0.0", "Coaches of the organisation.", Coach,
    (
        C("coach_id", "uuid", Coach.id, "Id of the coach."),
        C("external_id", "text", Coach.external_id, "Id in the roster.", privacy="external"),
        C("name", "text", Coach.name, "Full name.", privacy="name"),
        C("email", "text", Coach.email, "E-mail address.", privacy="name"),
        C("left_on", "date", Coach.left_on, "First day without them.", True),
        C("created_at", "instant", Coach.created_at, "When the row was made."),
        C("updated_at", "instant", Coach.updated_at, "When the row last changed."),
    ),
    scope=Scope(
        Coach.created_at,
        coach=Coach.id.in_,
        client=lambda ids: Coach.id.in_(
            sa.select(Engagement.coach_id).where(Engagement.client_id.in_(ids))
        ),
    ),
)  # fmt: skip

CLIENTS = Dataset(
    "clients", "1.0.0",
    "Clients of the organisation. Exports of a coach do not tell who those of other coaches are now.", Client,
    (
        C("client_id", "uuid", Client.id, "Id of the client."),
        C("external_id", "text", Client.external_id, "Id in the roster.", privacy="external"),
        C("name", "text", Client.name, "Full name.", privacy="name"),
        C("email", "text", Client.email, "E-mail address; without it no follow-up is sent.", True, privacy="name"),
        C("left_on", "date", Client.left_on, "First day without them.", True),
        C("created_at", "instant", Client.created_at, "When the row was made."),
        C("updated_at", "instant", Client.updated_at, "When the row last changed."),
    ),
    scope=Scope(
        Client.created_at,
        coach=lambda ids: Client.id.in_(clients_of(ids)),
        client=Client.id.in_,
    ),
    withheld=Withheld(
        clients_of,
        {
            "external_id": sa.func.replace(sa.cast(Client.id, sa.Text()), "-", ""),  # stays unique
            "name": sa.literal(NOT_SHARED),
            "email": sa.null(),
            "left_on": sa.null(),
            "updated_at": Client.created_at,
        },
    ),
)  # fmt: skip

ENGAGEMENTS = Dataset(
    "engagements", "1.0.0", "A coach works with a client over a span of days.", Engagement,
    (
        C("engagement_id", "uuid", Engagement.id, "Id of the engagement."),
        C("external_id", "text", Engagement.external_id, "Id in the roster.", privacy="external"),
        C("coach_id", "uuid", Engagement.coach_id, "The coach."),
        C("client_id", "uuid", Engagement.client_id, "The client."),
        C("title", "text", Engagement.title, "What the engagement is about; may be empty.", privacy="free_text"),
        C("started_on", "date", Engagement.started_on, "First day."),
        C("ended_on", "date", Engagement.ended_on, "First day after the end.", True),
        C("created_at", "instant", Engagement.created_at, "When the row was made."),
        C("updated_at", "instant", Engagement.updated_at, "When the row last changed."),
    ),
    (F("coach_id", "coaches"), F("client_id", "clients")),
    scope=Scope(
        Engagement.created_at, coach=Engagement.coach_id.in_, client=Engagement.client_id.in_
    ),
)  # fmt: skip

CONSENTS = Dataset(
    "consents", "1.0.0", "Consents given and withdrawn; the newest per kind holds.", Consent,
    (
        C("consent_id", "uuid", Consent.id, "Id of the entry."),
        C("client_id", "uuid", Consent.client_id, "The client."),
        C("kind", "code", Consent.kind, "To what.", False, CONSENT_KINDS),
        C("granted", "boolean", Consent.granted, "Given (true) or withdrawn (false)."),
        C("recorded_at", "instant", Consent.recorded_at, "When it was given or withdrawn."),
        C("recorded_by", "uuid", Consent.recorded_by, "Id of the user who recorded it.", True),
        C("note", "text", Consent.note, "A note; may be empty.", privacy="free_text"),
        C("created_at", "instant", Consent.created_at, "When the row was made."),
    ),
    (F("client_id", "clients"),),
    scope=Scope(
        Consent.created_at,
        coach=lambda ids: Consent.client_id.in_(clients_of(ids)),
        client=Consent.client_id.in_,
    ),
)  # fmt: skip
