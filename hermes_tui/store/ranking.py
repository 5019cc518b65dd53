"""Which of the matching messages come first.

Rankings by the message itself, by the message with its neighbours, and by the summary of its
session are joined by reciprocal rank (Cormack, Clarke and Büttcher, 2009). So is the ranking of
sessions by meaning, where there is one.
"""

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from itertools import groupby

from hermes_tui.store.indexes import Lookup, Match

RANK_OFFSET = 60
"""The constant k of reciprocal rank fusion."""
CANDIDATES = 200
"""How many messages are compared with their neighbours."""
SUMMARY_WEIGHT = 0.5
MEANING_WEIGHT = 0.5
BY_MEANING = 3
"""How many sessions meaning alone can add to those that words find."""

Neighbours = Mapping[int, Sequence[int]]
"""The messages of the same session next to a message."""


def candidates(lookup: Lookup) -> list[int]:
    """Messages by what they say themselves, the best first, then the newest."""
    scores = ((match.score, message) for message, match in lookup.matches.items())
    return [message for _, message in nlargest(CANDIDATES, scores)]


def fused(
    lookup: Lookup, messages: Sequence[int], around: Neighbours, summaries: Lookup
) -> list[int]:
    """The candidates in the order in which they are shown."""
    matches = lookup.matches
    own = {message: matches[message].score for message in messages}
    joint = {message: _joint_score(matches, message, around) for message in messages}
    by_session = {match.session: match.score for match in summaries.matches.values()}
    total = dict.fromkeys(messages, 0.0)
    for scores, weight in (
        (own, 1.0),
        (joint, 1.0),
        ({m: by_session.get(matches[m].session, 0.0) for m in messages}, SUMMARY_WEIGHT),
    ):
        for message, points in _points(scores).items():
            total[message] += weight * points
    return sorted(messages, key=lambda message: (-total[message], -own[message], -message))


def session_order(
    lookup: Lookup,
    ordered: Sequence[int],
    summaries: Lookup,
    near: Mapping[int, float] | None = None,
) -> list[int]:
    """Keys of the sessions that match, the best first.

    By how many of the terms a session has anywhere, by its best message, by its summary, and
    by how `near` it comes to what is meant.
    """
    best: dict[int, dict[int, float]] = {}
    for match in lookup.matches.values():
        _take_best(best.setdefault(match.session, {}), match)
    coverage = {session: sum(scores.values()) for session, scores in best.items()}
    first: dict[int, float] = {}
    for place, message in enumerate(ordered):
        first.setdefault(lookup.matches[message].session, -float(place) + len(ordered) + 1)
    summed = {match.session: match.score for match in summaries.matches.values()}
    total: dict[int, float] = {}
    for scores, weight in (
        (coverage, 1.0),
        (first, 1.0),
        (summed, SUMMARY_WEIGHT),
        (near or {}, MEANING_WEIGHT),
    ):
        for session, points in _points(scores).items():
            total[session] = total.get(session, 0.0) + weight * points
    return sorted(total, key=lambda session: (-total[session], -session))


def shown_sessions(
    plain: Sequence[int], joined: Sequence[int], near: Mapping[int, float], *, limit: int
) -> list[int]:
    """The first of the sessions words find, and a few that only meaning does, as `joined`.

    Meaning changes the order, but never drops what words find.
    """
    shown = set(plain[:limit])
    added = [key for key in near if key not in shown]
    shown.update(added[:BY_MEANING])
    return [key for key in joined if key in shown]


def _joint_score(matches: Mapping[int, Match], message: int, around: Neighbours) -> float:
    """Each term by its best match among a message and its neighbours."""
    best: dict[int, float] = {}
    for one in (message, *around.get(message, ())):
        if match := matches.get(one):
            _take_best(best, match)
    own_weight = matches[message].weight
    return own_weight * sum(best.values())


def _take_best(best: dict[int, float], match: Match) -> None:
    for place, score in match.scores.items():
        weighted = match.weight * score
        if weighted > best.get(place, 0.0):
            best[place] = weighted


def _points(scores: Mapping[int, float]) -> dict[int, float]:
    """1 / (k + rank) for whatever scores at all; equal scores share their best rank."""
    points: dict[int, float] = {}
    rank = 1
    for _, equal in groupby(_descending(scores), key=lambda key: scores[key]):
        tied = list(equal)
        points.update(dict.fromkeys(tied, 1 / (RANK_OFFSET + rank)))
        rank += len(tied)
    return points


def _descending(scores: Mapping[int, float]) -> Iterable[int]:
    return sorted((key for key in scores if scores[key] > 0), key=lambda key: -scores[key])
