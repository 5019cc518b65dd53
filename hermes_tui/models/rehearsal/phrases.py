"""The sentences the rehearsal model understands, as a table."""

import re
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

Refers = Literal["", "names", "output"]


class Step(Struct, frozen=True):
    """One thing to do."""

    intent: str
    """What it is, to follow "I will": `list the files in src`."""
    tool: str = ""
    """The tool to call; empty for steps that only say something."""
    arguments: dict[str, Any] = {}
    refers: Refers = ""
    """What of the previous result becomes `content`."""
    talk: Literal["", "summary", "greeting", "unknown"] = ""
    """What a step without a tool says."""


Match = re.Match[str]


class Phrase(Struct, frozen=True):
    """A form of request, and how to carry it out."""

    pattern: str
    """Has to match the whole clause, whatever its case."""
    build: Callable[[Match], Step | None]
    """None when the words do not fit after all."""

    def step(self, clause: str) -> Step | None:
        """The step `clause` asks for, if it has this form."""
        # Compiled when first needed: all of them together would slow the start.
        match = re.fullmatch(self.pattern, clause, re.IGNORECASE | re.DOTALL)
        return self.build(match) if match else None


PATH = r"(?P<path>`[^`]+`|\"[^\"]+\"|'[^']+'|[^\s,;]+)"
HERE = r"(?:here|(?:in |from )?(?:this|the current|my) (?:folder|directory|dir|project)|\.)"
WHERE = (
    rf"(?:\s+(?:(?P<here>{HERE})|(?:in|under|inside|below|of|from)\s+(?:the\s+)?{PATH}"
    r"(?:\s+(?:folder|directory))?))?"
)
NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "twelve": 12, "twenty": 20,
}  # fmt: skip
KINDS = {
    "python": "*.py", "markdown": "*.md", "text": "*.txt", "javascript": "*.js", "rust": "*.rs",
    "typescript": "*.ts", "yaml": "*.y*ml", "json": "*.json", "toml": "*.toml", "shell": "*.sh",
    "log": "*.log", "html": "*.html", "css": "*.css", "go": "*.go", "c": "*.c", "java": "*.java",
}  # fmt: skip
_THEIRS = re.compile(
    r"(?:(?:a list of )?(?:their|the|its|those|these|all(?: of)? the|all)\s+)?"
    r"(?:file\s*)?(?:names?|paths?)(?:\s+of (?:them|those|these|the files))?",
    re.IGNORECASE,
)
_IT = re.compile(
    r"it|them|that|this|those|these|everything|"
    r"(?:the|its|that|this)\s+(?:results?|outputs?|list|answer|matches|lines|files|text|contents?)"
    r"|what (?:it|that) (?:printed|said)|the (?:results?|output) of (?:it|that)",
    re.IGNORECASE,
)
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")


def unquoted(text: str) -> str:
    """`text` without the quotes or backticks around it."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "`\"'":
        return text[1:-1]
    if len(text) >= 2 and text[0] == "\u201c" and text[-1] == "\u201d":
        return text[1:-1]
    return text


def _path(match: Match) -> str:
    found = match.groupdict().get("path")
    return unquoted(found).rstrip("?!") if found else "."


def _run(match: Match) -> Step | None:
    command = match["command"].strip()
    quoted = re.match(r"(`[^`]+`|\"[^\"]+\")(?:\s+(?:here|for me))?$", command)
    if quoted:
        command = unquoted(quoted[1])
    if re.fullmatch(r"(the |my |all )?(tests?|it|that|this)(?: suite)?( again)?", command):
        return None
    return Step(f"run {code_span(command)}", "terminal", {"command": command})


def code_span(command: str) -> str:
    """`command` as code, whatever backticks stand in it."""
    return f"`` {command} ``" if "`" in command else f"`{command}`"


def _run_in_background(match: Match) -> Step | None:
    command = unquoted(match["command"])
    arguments = {"command": command, "background": True}
    return Step(f"start {code_span(command)} in the background", "terminal", arguments)


def _fixed(command: str) -> Callable[[Match], Step]:
    return lambda _: Step(f"run `{command}`", "terminal", {"command": command})


def _list(match: Match) -> Step | None:
    groups = match.groupdict()
    count = (groups.get("count") or "").lower()
    order = (groups.get("order") or "").lower()
    kind = (groups.get("kind") or "").lower()
    if kind and kind not in KINDS and not kind.startswith((".", "*.")):
        return None
    arguments: dict[str, Any] = {"path": _path(match)}
    if order:
        arguments["sort"] = "size" if order in {"largest", "biggest"} else "modified"
    if limit := NUMBERS.get(count) or (int(count) if count.isdigit() else 0):
        arguments["limit"] = limit
    if kind:
        arguments["pattern"] = KINDS.get(kind) or f"*{kind.removeprefix('*')}"
    if groups.get("here"):
        arguments["depth"] = 1
    words = [word for word in (count if limit else "", order, kind) if word]
    where = "here" if arguments["path"] == "." else f"in `{arguments['path']}`"
    return Step(f"list the {' '.join([*words, 'files'])} {where}", "list_files", arguments)


def _find_named(match: Match) -> Step:
    pattern, path = unquoted(match["pattern"]), _path(match)
    if not any(char in pattern for char in "*?["):
        pattern = f"*{pattern}*"
    where = "" if path == "." else f" in `{path}`"
    arguments = {"path": path, "pattern": pattern}
    return Step(f"find files named `{pattern}`{where}", "list_files", arguments)


def _read(match: Match) -> Step | None:
    path = _path(match)
    is_marked = (match["path"] or "")[:1] in {"`", '"', "'"} or match.groupdict().get("file")
    is_named = match[0].lower().startswith(("read ", "open ")) and not _IT.fullmatch(path)
    if not (is_marked or is_named or re.search(r"[./]|^[A-Z]{3,}$", path)):
        return None
    arguments: dict[str, Any] = {"path": path}
    count = (match.groupdict().get("count") or "").lower()
    if limit := NUMBERS.get(count) or (int(count) if count.isdigit() else 0):
        arguments["limit"] = limit
    return Step(f"read `{path}`", "read_file", arguments)


def _write(match: Match) -> Step | None:
    path, what = _path(match), match["what"].strip()
    if not path or path in {".", "a", "the"}:
        return None
    refers: Refers = ""
    if _THEIRS.fullmatch(what):
        refers = "names"
    elif _IT.fullmatch(what):
        refers = "output"
    arguments = {"path": path}
    if not refers:
        arguments["content"] = unquoted(what).replace("\\n", "\n") + "\n"
    literal = f"`{what}`" if len(what) <= 40 and "`" not in what else "that text"
    shown = {"names": "the names", "output": "the result", "": literal}[refers]
    return Step(f"write {shown} to `{path}`", "write_file", arguments, refers=refers)


def _create_empty(match: Match) -> Step:
    path = _path(match)
    return Step(f"create `{path}`", "write_file", {"path": path, "content": ""})


def _edit(match: Match) -> Step:
    old, new, path = unquoted(match["old"]), unquoted(match["new"]), _path(match)
    arguments = {"path": path, "old": old, "new": new}
    return Step(f"replace `{old}` with `{new}` in `{path}`", "edit_file", arguments)


def _search(match: Match) -> Step | None:
    groups = match.groupdict()
    wanted, path = unquoted(match["wanted"]), _path(match)
    if not wanted:
        return None
    arguments: dict[str, Any] = {"pattern": _SPECIAL.sub(r"\\\g<0>", wanted), "path": path}
    if kind := (groups.get("kind") or "").lower():
        if kind not in KINDS:
            return None
        arguments["glob"] = KINDS[kind]
    where = "here" if path == "." else f"in `{path}`"
    return Step(f"search for `{wanted}` {where}", "search_files", arguments)


def _remember(match: Match) -> Step:
    fact = unquoted(match["fact"]).strip()
    is_personal = re.search(r"\b(i|i'm|my|me|mine)\b", fact, re.IGNORECASE)
    arguments = {"action": "add", "target": "user" if is_personal else "memory", "text": fact}
    return Step("remember that", "memory", arguments)


def _forget(match: Match) -> Step:
    fact = unquoted(match["fact"]).strip()
    is_personal = re.search(r"\b(i|i'm|my|me|mine)\b", fact, re.IGNORECASE)
    arguments = {"action": "remove", "target": "user" if is_personal else "memory", "old": fact}
    return Step("forget that", "memory", arguments)


def _recall(match: Match) -> Step:
    topic = unquoted(match["topic"]).rstrip("?")
    return Step(f"search earlier sessions for `{topic}`", "session_search", {"query": topic})


def _skill(match: Match) -> Step:
    groups = match.groupdict()
    name = re.sub(r"[^a-z0-9]+", "-", unquoted(match["name"]).lower()).strip("-")
    body = (groups.get("body") or "").strip()
    arguments = {
        "name": name,
        "description": f"How to {name.replace('-', ' ')}; use it when that is asked for.",
        "reason": "The person asked for it.",
    }
    if body:
        arguments["body"] = body
    return Step(
        f"save the skill `{name}`", "skill_save", arguments, refers="" if body else "output"
    )


def _use_skill(match: Match) -> Step:
    name = unquoted(match["name"]).lower()
    arguments = {"name": name}
    if given := (match.groupdict().get("arguments") or "").strip():
        arguments["arguments"] = given
    return Step(f"read the skill `{name}`", "skill_load", arguments)


def _find_skills(match: Match) -> Step:
    topic = match["topic"].strip(" ?.")
    return Step(f"look for skills on `{topic}`", "skill_search", {"query": topic})


def _plan(match: Match) -> Step:
    items = [one.strip(" .") for one in re.split(r"[,;\n]|\bthen\b", match["items"])]
    rows = [{"text": one, "state": "pending"} for one in items if one]
    return Step("write down the plan", "todo", {"items": rows})


def _ask(match: Match) -> Step:
    question = unquoted(match["question"]).strip()
    question = question[:1].upper() + question[1:].rstrip("?") + "?"
    return Step("ask you", "clarify", {"question": question})


def _jobs(match: Match) -> Step:
    del match
    return Step("list the background commands", "process", {"action": "list"})


def _job(match: Match) -> Step:
    action = "kill" if match["verb"].lower() in {"kill", "stop", "end"} else "tail"
    words = f"{'stop' if action == 'kill' else 'look at'} background command {match['id']}"
    return Step(words, "process", {"action": action, "id": match["id"]})


def _talk(kind: Literal["summary", "greeting"]) -> Callable[[Match], Step]:
    return lambda _: Step("summarise that" if kind == "summary" else "say hello", talk=kind)


_COUNT = r"(?:(?P<count>\d+|" + "|".join(NUMBERS) + r")\s+)?"
_ORDER = r"(?:(?P<order>largest|biggest|newest|latest|most recent|recently changed)\s+)?"
_KIND = r"(?:(?P<kind>[\w.*]+)\s+)?"
_PRINTED = r"(?:it|that|the command|the tests?)\s+(?:printed|said|did|came to|shows?|showed)"

# The first that fits is taken: narrower forms stand before wider ones.
PHRASES: tuple[Phrase, ...] = (
    Phrase(r"(?:hi|hello|hey|good (?:morning|evening|day)|help|who are you|what are you"
           r"|what (?:can|do) you (?:do|understand))\b.{0,20}", _talk("greeting")),
    Phrase(r"(?:remember|note|keep in mind)(?: that)?:?\s+(?P<fact>.+)", _remember),
    Phrase(r"forget(?: that)?\s+(?P<fact>.+)", _forget),
    Phrase(r"(?:plan|(?:make|write|keep) a (?:plan|to-?do list)):?\s+(?P<items>.+)", _plan),
    Phrase(r"ask me (?:about |for |whether |if )?(?P<question>.+)", _ask),
    Phrase(r"what did (?:we|i|you) (?:say|talk|do|discuss|decide)(?: about| on| with)?\s+"
           r"(?P<topic>.+)", _recall),
    Phrase(r"(?:search|look through) (?:my |our |the )?(?:past |earlier |old |previous |last )?"
           r"(?:sessions?|conversations?|history|chats?)(?: for| about)?\s+(?P<topic>.+)",
           _recall),
    Phrase(r"(?:recall|do you remember)(?: what we said about)?\s+(?P<topic>.+)", _recall),
    Phrase(r"(?:find|show) (?:the|our) (?:session|conversation)s? (?:about|on)\s+(?P<topic>.+)",
           _recall),
    Phrase(r"(?:save|create|make|write) (?:this |that |it )?(?:as )?(?:a |the )?(?:new )?skill"
           r"(?: called| named)?\s+(?P<name>`[^`]+`|\"[^\"]+\"|[\w-]+)(?::\s*(?P<body>.+))?",
           _skill),
    Phrase(r"(?:use|run|follow|load|apply) the skill\s+(?P<name>`[^`]+`|\"[^\"]+\"|[\w-]+)"
           r"(?:\s+(?:on|for|with)\s+(?P<arguments>.+))?", _use_skill),
    Phrase(r"/(?P<name>[a-z0-9-]+)(?:\s+(?P<arguments>.+))?", _use_skill),
    Phrase(r"(?:find|search(?: for)?|which|what) skills? (?:for|on|about)\s+(?P<topic>.+)",
           _find_skills),
    Phrase(rf"replace\s+(?P<old>`[^`]+`|\"[^\"]+\"|'[^']+'|.+?)\s+(?:with|by)\s+"
           rf"(?P<new>`[^`]*`|\"[^\"]*\"|'[^']*'|.+?)\s+in\s+(?:the file\s+)?{PATH}", _edit),
    Phrase(rf"change\s+(?P<old>`[^`]+`|\"[^\"]+\"|'[^']+'|.+?)\s+(?:to|into)\s+"
           rf"(?P<new>`[^`]*`|\"[^\"]*\"|'[^']*'|.+?)\s+in\s+(?:the file\s+)?{PATH}", _edit),
    Phrase(rf"in\s+(?:the file\s+)?{PATH},?\s+(?:replace|change)\s+(?P<old>`[^`]+`|\"[^\"]+\"|.+?)"
           r"\s+(?:with|by|to)\s+(?P<new>`[^`]*`|\"[^\"]*\"|.+)", _edit),
    Phrase(rf"(?:create|make) (?:a |an )?(?:empty |new )?(?:file )?(?:called |named )?{PATH}"
           r"\s+(?:with|containing|saying)(?: the text| the content)?:?\s+(?P<what>.+)", _write),
    Phrase(rf"(?:create|make) (?:a |an )?(?:empty |new )?file (?:called |named )?{PATH}",
           _create_empty),
    Phrase(rf"(?:write|put|save|store|record)\s+(?P<what>.+)\s+(?:to|in|into|as)\s+"
           rf"(?:a |the )?(?:new )?(?:file )?(?:called |named )?{PATH}", _write),
    Phrase(rf"(?:summari[sz]e|sum up|explain|tell me|say|show me|what)\s*(?:up\s+)?(?:is\s+)?"
           rf"(?:what\s+)?(?:{_PRINTED}|it|that|this|the (?:output|result)s?(?: of .+)?)",
           _talk("summary")),
    Phrase(r"(?:what did (?:it|that|the command) (?:print|say|do)|how did (?:it|that) go"
           r"|what happened|summari[sz]e(?: it)?)", _talk("summary")),
    Phrase(rf"(?:show|read|print|summari[sz]e|give me)(?: me)?\s+the\s+(?:first|top)\s+"
           rf"(?P<count>\w+)\s+lines\s+(?:of|in|from)\s+(?P<file>the file\s+)?{PATH}", _read),
    Phrase(r"(?:list|show|what are|which)(?: me)?\s*(?:the |all |my )?(?:running )?"
           r"(?:background|running) (?:processes|jobs|commands)", _jobs),
    Phrase(r"(?P<verb>kill|stop|end|tail|follow|check) (?:the )?(?:background )?"
           r"(?:job|process|command) (?P<id>[\w-]+)", _job),
    Phrase(rf"(?:list|show|find|name|give me|get|what are|which are)(?: me)?\s+(?:the |all "
           rf"|all the |my |me the )?{_COUNT}{_ORDER}{_KIND}files?{WHERE}", _list),
    Phrase(rf"(?:what|which) (?P<kind>\w+ )?files? (?:are|is|do (?:i|we) have)(?: there)?{WHERE}",
           _list),
    Phrase(rf"what(?:'s| is) (?:in|inside) (?:(?P<here>{HERE})|(?:the )?{PATH}"
           r" (?:folder|directory))", _list),
    Phrase(rf"(?:find|look for|search for|list)\s+(?:all |the )?(?:files? )?"
           rf"(?:named|called|matching|like)\s+(?P<pattern>`[^`]+`|\"[^\"]+\"|[^\s,]+){WHERE}",
           _find_named),
    Phrase(rf"(?:find|list)\s+(?:all )?(?P<pattern>`?\*[^\s,`]+`?)(?: files)?{WHERE}",
           _find_named),
    Phrase(rf"(?:search|grep|look|find)\s+(?:in\s+)?(?:the |all )?(?:(?P<kind>\w+) )?(?:files? )?"
           rf"(?:here )?for\s+(?P<wanted>`[^`]+`|\"[^\"]+\"|'[^']+'|.+?){WHERE}", _search),
    Phrase(rf"(?:search|grep|look in)\s+{PATH}\s+for\s+(?P<wanted>.+)", _search),
    Phrase(rf"(?:where (?:is|are)|which files? (?:mentions?|contains?|uses?|has|have))\s+"
           rf"(?P<wanted>`[^`]+`|\"[^\"]+\"|[^\s]+)(?:\s+(?:defined|used|mentioned|called))?"
           rf"{WHERE}", _search),
    Phrase(rf"(?:grep|find|search)\s+(?P<wanted>`[^`]+`|\"[^\"]+\"|\w+)\s+(?:in|under)\s+{PATH}",
           _search),
    Phrase(rf"(?:read|open|show|display|view|print|summari[sz]e|what(?:'s| is) in)(?: me)?\s+"
           rf"(?:what(?:'s| is) in\s+)?(?:the )?(?:contents? of )?"
           rf"(?P<file>(?:the )?file\s+)?{PATH}", _read),
    Phrase(rf"what(?:'s| is) (?:in|inside)\s+{PATH}", _list),
    Phrase(r"(?:run|execute|start|launch)\s+(?P<command>`[^`]+`|.+?)\s+in the background",
           _run_in_background),
    Phrase(r"(?:run|execute|launch):?\s+(?:the )?(?:shell )?(?:command:?\s+)?"
           r"(?P<command>.+)", _run),
    Phrase(r"\$\s*(?P<command>.+)", _run),
    Phrase(r"(?P<command>`[^`]+`)", _run),
    Phrase(r"(?P<command>(?:git|ls|pwd|cat|echo|whoami|uname|df|du|ps|uv|pytest|npm|cargo|wc"
           r"|hostname|grep|sed|awk)(?:\s+[^?]*)?)", _run),
    Phrase(r"what(?:'s| is) the (?:date|time)|what time is it", _fixed("date")),
    Phrase(r"where am i|what(?:'s| is) (?:the |my )?(?:cwd|(?:current|working) "
           r"(?:folder|directory))", _fixed("pwd")),
)  # fmt: skip

EXAMPLES = {
    "list the five largest files here, then write their names to top.txt": "list_files",
    "run `git status` and summarise what it printed": "terminal",
    "find files named *.py": "list_files",
    "search for TODO in src": "search_files",
    "read README.md": "read_file",
    "write hello to notes.txt": "write_file",
    "replace `hello` with `good morning` in notes.txt": "edit_file",
    "run `sleep 60` in the background, then list background commands": "process",
    "make a plan: look around, change it, test it": "todo",
    "remember that I prefer tabs": "memory",
    "what did we say about backups?": "session_search",
    "save this as a skill called nightly-check": "skill_save",
    "find skills for a full disk": "skill_search",
}
"""What a person who asks may be shown, each with the tool it takes."""
