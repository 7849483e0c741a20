"""What the operator's settings say about each app."""

from __future__ import annotations

from traptor.common.config.keys.key import ApiKey
from traptor.common.config.proxies import proxy_to_api
from traptor.common.config.sections.traptor import TraptorSection
from traptor.common.config.sections.twitter import TwitterSection
from traptor.common.config.settings import Settings
from traptor.common.filters import FollowScope
from traptor.common.rules.rule import GroupId
from traptor.supervisor.apps.cost.spending import Terms
from traptor.supervisor.apps.settings import AppSettings, Route
from traptor.supervisor.apps.wanted.composed import AppLimits
from traptor.supervisor.apps.wanted.translated import Wording
from traptor.supervisor.filters.sync.goal import ForeignFilters
from traptor.supervisor.money.caps import Caps
from traptor.supervisor.money.reads import Prices


def app_settings(settings: Settings) -> AppSettings:
    """Return the settings of every app."""
    return AppSettings(
        limits=app_limits(settings),
        terms=terms(settings),
        look_s=settings.supervisor.rules_check_interval,
        credit_retry_s=settings.twitter.credit_retry,
    )


def app_limits(settings: Settings) -> AppLimits:
    """Return what an app at X may have."""
    return limits_of(settings.traptor, settings.twitter)


def limits_of(traptor: TraptorSection, twitter: TwitterSection) -> AppLimits:
    """Return the same by the sections that say it: a command may know no key."""
    return AppLimits(
        collection=traptor.collection,
        policy=ForeignFilters(traptor.foreign_filters),
        filters=twitter.rules_per_app,
        length=twitter.rule_length,
    )


def terms(settings: Settings) -> Terms:
    """Return prices and caps."""
    twitter = settings.twitter
    return Terms(
        Prices(twitter.post_price, twitter.user_price),
        Caps(twitter.daily_posts, twitter.daily_dollars, twitter.monthly_dollars),
    )


def route(settings: Settings, key: ApiKey) -> Route:
    """Return how the master reaches X for the key's app: as its worker does."""
    proxy = proxy_to_api(settings, key)
    return Route(settings.twitter.api_url, settings.twitter.stream_ca_file, proxy, key.source_address)


def wording(settings: Settings, group: GroupId) -> Wording:
    """Return how the rules of a group are said at X."""
    return wording_of(settings.traptor, group)


def wording_of(traptor: TraptorSection, group: GroupId) -> Wording:
    """Return the same by the section that says it."""
    return Wording(FollowScope(traptor.follow_scope.of(group)), traptor.suffix.of(group).strip())
