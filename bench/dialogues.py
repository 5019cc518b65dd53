"""Long acquaintances made up by a seeded script, with questions as people type them.

Every fact is told once, among small talk and among facts of the same kind about other things,
in words that differ somewhat from those of the question.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bench.retrieval import Dialogue, Question
from hermes_tui.core.messages import Message, Role, Text
from hermes_tui.store.import_forms import Said

SESSIONS = 40
TURNS = 24
FACTS = 120
DECOYS = 0.25
"""How much of the small talk is about the same things as the facts."""

NAMES = (
    "billing", "orders", "search", "mailer", "gateway", "reports", "inventory", "login", "wiki",
    "thumbnails", "payments", "scheduler", "profile", "exports", "chat", "metrics", "backup",
    "translation", "calendar", "uploads",
)  # fmt: skip
PLACES = ("Bonn", "Lyon", "Turin", "Graz", "Malmö", "Ghent", "Porto", "Tartu", "Cork", "Brno")
TOOLS = ("restic", "nginx", "poetry", "terraform", "redis", "celery", "pytest", "ansible", "kafka")
PEOPLE = ("Ines", "Jonas", "Mira", "Tobias", "Aylin", "Pavel", "Chiara", "Emeka", "Sanna", "Hugo")
TOPICS = ("latency", "timeouts", "memory leak", "broken links", "slow start", "duplicate rows")

FACTS_AND_QUESTIONS = (
    ("It listens on {number} from now on, {name} I mean.",
     "which port is {name} using?"),
    ("We decided to put {name} on the machine in {place}.",
     "where is {name} hosted now?"),
    ("{person} is taking over {name} next month.",
     "who will be responsible for {name}?"),
    ("The {topic} came from {tool}; upgrading it helped. That was {name}.",
     "what was the reason for the {topic} in {name}?"),
    ("I switched from cron jobs to {tool} there, {name} is quicker now.",
     "why did I change {name} to {tool}?"),
    ("{person} will be in {place} on the 4th to see the new office.",
     "when is {person} visiting {place}?"),
    ("Let's keep those settings in deploy/{name}.yaml.",
     "which file has the {tool} configuration of {name}?"),
    ("{person} hates {tool}, it lost her a week of work once.",
     "what does {person} think about {tool}?"),
)  # fmt: skip
SMALL_TALK = (
    "Sure, sounds good to me.", "Let me have a look at {name} first.", "Thanks, that works.",
    "Did {person} say anything about {name}?", "I will check the {tool} logs of {name} again.",
    "Could you run the tests of {name} once more?", "The build in {place} is slow today.",
    "OK, going on with {name} tomorrow.", "There is another {topic} in {name}, not a bad one.",
    "I had lunch with {person} in {place}, nothing new.", "We should write that down somewhere.",
    "The port of {name} was fine when I looked.", "Nothing was decided about {name} and {tool}.",
    "Should {person} look at the {topic}?", "Is {tool} in {place} the same version?",
    "What was the reason, again?", "{person} asked which file it was.",
    "{person} thinks the {topic} is gone.", "I restarted {tool} because of the {topic}.",
)  # fmt: skip

SMALLEST_TALK = (
    "Sure, sounds good to me.", "Thanks, that works.", "We should write that down somewhere.",
    "What was the reason, again?", "Let me try.", "Done, have a look.", "That took a while.",
    "One moment, the tests are still running.", "Could you say that once more?", "Good morning!",
    "It is raining here.", "Coffee first.", "Nice.", "I am not sure about that.", "Which file?",
)  # fmt: skip


def make_dialogues(count: int, *, seed: int = 4) -> list[Dialogue]:
    """The same dialogues for the same seed."""
    return [_dialogue(random.Random(seed * 1000 + number)) for number in range(count)]


def _dialogue(chance: random.Random) -> Dialogue:
    made = Dialogue()
    start = datetime(2025, 3, 3, 9, tzinfo=UTC)
    slots = sorted(chance.sample(range(SESSIONS * TURNS), FACTS))
    told: set[str] = set()
    for place in range(SESSIONS * TURNS):
        session, turn = divmod(place, TURNS)
        at = start + timedelta(days=6 * session, minutes=turn)
        talk = SMALL_TALK if chance.random() < DECOYS else SMALLEST_TALK
        text = _filled(chance, chance.choice(talk))[0]
        if slots and place == slots[0]:
            slots.pop(0)
            text = _fact(chance, made, place, told) or text
        role: Role = "assistant" if turn % 2 else "user"
        name = f"session {session}"
        made.said.append(Said(name, name, Message(role, (Text(text),)), at))
    return made


def _fact(chance: random.Random, made: Dialogue, place: int, told: set[str]) -> str:
    """A fact not told yet; its question goes to the dialogue. Empty when this one was told."""
    fact, asked = _filled(chance, *chance.choice(FACTS_AND_QUESTIONS))
    if asked in told:
        return ""
    told.add(asked)
    made.questions.append(Question(asked, (place,)))
    return fact


def _filled(chance: random.Random, *templates: str) -> Sequence[str]:
    values = {
        "name": chance.choice(NAMES),
        "place": chance.choice(PLACES),
        "tool": chance.choice(TOOLS),
        "person": chance.choice(PEOPLE),
        "topic": chance.choice(TOPICS),
        "number": str(chance.randrange(3000, 9999)),
    }
    return [template.format(**values) for template in templates]
