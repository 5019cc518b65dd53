"""Whether what a person says next tells the agent that it was wrong."""

import re
from functools import cache

from msgspec import Struct

SEARCHED_CHARS = 400
"""A correction is what a person begins with."""

_TYPOGRAPHIC = str.maketrans({"\u2019": "'", "\u2013": "-", "\u2014": "-"})


class Form(Struct, frozen=True):
    """A way to say that something is wrong."""

    pattern: str
    """What the words begin with, or a sentence among the first of them does."""
    examples: tuple[str, ...]


FORMS: tuple[Form, ...] = (
    Form(
        r"(?:no+|nope|nah)(?: +-+|[,.!:;-]+) *(?:no\b|that|this|it\b|you|not|don't|do not|use\b"
        r"|the\b"
        r"|i (?:said|meant|want|asked|told|need)|wrong|stop|just|only|again|instead|leave|keep|put"
        r"|try|never|always|there|still|first|please)",
        ("No, that's the staging host.", "no - use pnpm here", "Nope, it has to be sorted."),
    ),
    Form(
        r"(?:that|this|it|which|what you \w+)(?:'s| is| was| looks?| seems?) "
        r"(?:(?:just|still|also|simply|completely|totally|plain) )*(?:wrong|incorrect|broken|false"
        r"|mistaken|not (?:right|correct|true|it\b|what i|how i|the (?:one|file|way)))",
        ("That's wrong.", "this is not what I asked for", "It's still broken", "That's not right"),
    ),
    Form(
        r"(?:that|this|it) isn't (?:right|correct|true|what i|how i|working)",
        ("That isn't right.", "it isn't what I wanted"),
    ),
    Form(
        r"not (?:what i|like that|that one|the one i|quite what|how i|in that|there[,.])",
        ("Not what I asked.", "not like that, please", "Not that one"),
    ),
    Form(
        r"(?:wrong|incorrect)(?:[,.!:]|\Z| (?:file|one|place|folder|directory|branch|host|server"
        r"|version|answer|command|line|test|table|environment|again|way))",
        ("Wrong file!", "wrong, it's the other one", "Incorrect."),
    ),
    Form(
        r"(?:please )?(?:undo|revert|roll back|take back|back out) (?:that|this|it|your|the last"
        r"|all"
        r"|what you|everything)",
        ("Undo that.", "please revert your change", "Roll back what you did"),
    ),
    Form(
        r"(?:you|u) (?:forgot|missed|misunderstood|misread|ignored|broke|deleted|skipped|overlooked"
        r"|(?:didn't|did not|haven't|have not|still haven't) \w+|were (?:not )?supposed to"
        r"|should(?:n't| not)? have|got (?:it|that|this) wrong|made a mistake|used the wrong"
        r"|changed the wrong|keep (?:doing|making|using|ignoring))",
        ("You forgot the tests.", "you didn't run it", "you should have asked", "You broke it"),
    ),
    Form(
        r"(?:but |as )?i (?:said(?! yes| ok)|told you|asked (?:you|for)|already (?:said|told)"
        r"|explicitly"
        r"|specifically|never (?:said|asked)|didn't (?:ask|say|mean|want)|did not (?:ask|say|mean"
        r"|want)|meant\b|don't want)",
        ("I said port 8080.", "I meant the other one", "But I told you to use tabs"),
    ),
    Form(
        r"(?:(?:it|that|this)(?: still)? (?:doesn't|does not|didn't|did not) (?:work|help|fix"
        r"|compile"
        r"|run|build|pass|start)|(?:it|that|this|the \w+) still (?:doesn't|does not|fails?|crash\w*"
        r"|shows?|isn't|is (?:not|broken|failing|wrong)))",
        ("It still doesn't work.", "that didn't help", "the build still fails"),
    ),
    Form(
        r"still (?:broken|failing|fails|wrong|not working|doesn't|does not|the same|crash\w*"
        r"|an error"
        r"|getting)",
        ("Still failing", "still the same error", "Still not working, see above."),
    ),
    Form(
        r"(?:actually|sorry|hmm|ehm?|wait)[,.…]* (?:no\b|i (?:meant|want(?:ed)?)|that's (?:wrong"
        r"|not)"
        r"|it should|you should|not\b|don't\b|wrong\b)",
        ("Actually, I meant the copy.", "wait, no", "Hmm, that's not it"),
    ),
    Form(
        r"(?:please )?(?:stop|quit) (?:doing|using|adding|changing|making|writing|asking|that"
        r"|this|it)",
        ("Stop adding comments.", "please stop using npm"),
    ),
    Form(
        r"(?:please )?don't (?:do (?:that|this|it)|use|add|change|touch|ever|remove|delete|write"
        r"|put)"
        r"\b.*\b(?:again|like that|instead|i|anymore|any more)\b",
        ("Don't do that again.", "don't use npm, use pnpm instead"),
    ),
    Form(
        r"why (?:did|are|have|would|do|didn't|don't|haven't) (?:you|u)\b.*\b(?:delet|remov|chang"
        r"|us|"
        r"ignor|add|not|n't|instead|overwr|touch|edit|skip|break|did|do)",
        ("Why did you delete that file?", "why are you using npm?"),
    ),
    Form(
        r"(?:it|that|this) should(?:n't| not)? (?:have|be(?! (?:enough|fine|ok|good|all|it\b))"
        r"|use|not|say|go|look)\b",
        ("It should be sorted by date.", "that should have been a warning"),
    ),
    Form(
        r"(?:nein[,.! ]|falsch\b|das (?:ist|war|stimmt) (?:so )?(?:falsch|nicht)|nicht (?:das"
        r"|so)[,.!]"
        r"|ich (?:meinte|sagte|habe gesagt|wollte)\b)",
        ("Nein, die andere Datei.", "Das ist falsch.", "ich meinte den Testserver"),
    ),
    Form(
        r"(?:non, |c'est faux|ce n'est pas (?:ça|ce que|juste)|eso (?:está|es) mal"
        r"|no es (?:lo que|eso"
        r"|correcto)|está mal)",
        ("Non, l'autre fichier.", "No es lo que pedí.", "eso está mal"),
    ),
)

THANKS: tuple[str, ...] = (
    r"no+[,.!]? (?:problem|worries|need|thanks?|thank you|that's (?:all|it|fine|ok\w*|good|great"
    r"|everything|perfect)|it's (?:fine|ok\w*|good|all)|this is (?:fine|good|great)|rush|doubt"
    r"|questions?|more|changes?|further|idea|i'm (?:good|fine|done)|i am (?:good|fine|done)"
    r"|you (?:can|may|did)|go ahead)",
    r"(?:that|this|it)(?:'s| is) not (?:a problem|bad|necessary|needed|important|urgent|wrong)",
    r"you (?:didn't|did not) (?:have|need) to",
)
"""What only sounds like a correction."""


def is_correction(words: str, *, answer: str = "") -> bool:
    """Whether `words` correct what was done before; in doubt they do not.

    Args:
        answer: What they reply to. A plain no to a question corrects nothing.
    """
    head = words.strip().translate(_TYPOGRAPHIC)[:SEARCHED_CHARS].partition("\n\n")[0]
    if not head or _thanks().match(head):
        return False
    match = _correcting().match(head)
    if match is None:
        # "Thanks, but that's not what I asked": the second half is what counts.
        _, but, rest = head.partition(" but ")
        return bool(but) and _correcting().match(rest) is not None
    is_no = re.match(r"no|nope|nah|nein|non", head, re.IGNORECASE) is not None
    return not (is_no and _asks(answer) and not _strong().search(head))


def _asks(answer: str) -> bool:
    """Whether an answer ends with a question."""
    return answer.rstrip(" \n*_`)").endswith("?")


@cache
def _correcting() -> re.Pattern[str]:
    forms = "|".join(f"(?:{form.pattern})" for form in FORMS)
    return re.compile(
        rf"(?:(?:ok(?:ay)?|well|um+|hey|sorry|oh|ah|ugh|but|and|thanks"
        rf"|please)[,.!…]* )*(?:{forms})",
        re.IGNORECASE | re.DOTALL,
    )


@cache
def _thanks() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{form})" for form in THANKS), re.IGNORECASE)


@cache
def _strong() -> re.Pattern[str]:
    return re.compile(
        r"\b(?:wrong|incorrect|falsch|faux|not what|i (?:said|meant|told)|undo|revert"
        r"|you forgot)\b",
        re.IGNORECASE,
    )
