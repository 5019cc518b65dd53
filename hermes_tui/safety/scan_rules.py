"""The wordings the write scan knows, each with why it matters."""
# ruff: noqa: E501  an expression is easier to read whole

import re
from functools import cache
from typing import Literal

from msgspec import Struct


class Rule(Struct, frozen=True):
    """One wording."""

    kind: str
    pattern: str
    reason: str
    severity: Literal["block", "warn"] = "block"
    quotable: Literal["no", "reported", "code"] = "reported"
    """Where it is only warned about: in quotes within a sentence about it, or as inline code."""


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_KEY = "It holds a secret; keep it in .env, and remember its name instead."
SECRETS: tuple[Rule, ...] = tuple(
    Rule("secret", pattern, _KEY)
    for pattern in (
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----",
        r"\b(?:sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,})",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,})",
        r"\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{20,}",
        r"\bAIza[A-Za-z0-9_-]{35}\b",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\b(?:hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|dop_v1_[a-f0-9]{64})",
        r"\bSG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}",
        r"\b[rs]k_live_[A-Za-z0-9]{20,}",
        r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@]{1,80}:([^\s:/@]{6,200})@[\w.-]",
        r"(?i)\b(?:bearer|basic)\s+((?=\S*\d)[A-Za-z0-9+/._~-]{24,}=*)",
        r"\bAGE-SECRET-KEY-1[A-Z0-9]{20,}",
        r"(?i)(?:\btoken|secret[_-]?key)[\"']?\s*[:=]\s*"
        r"([\"']?(?=[^\s\"']*[A-Za-z])(?=[^\s\"']*\d)[^\s\"'/~]{16,}[\"']?)",
        r"(?i)\b(?:password|passwd|passphrase)(?:=|\s*:\s*(?=[^\s]*[\d!@#&*+]))"
        r"([^\s\"'/~$<{%\[(.]{6,})",
        r"(?i)(?:password|passwd|passphrase|secret|api[ _-]?key|access[_-]?key|auth[_-]?token)"
        r"[\"']?(?:\s+is\s+|\s*[:=]\s*)([\"']?(?=[^\s\"']*[A-Za-z])(?=[^\s\"']*\d)[^\s\"'/~]{8,}[\"']?)",
    )
)
"""The last group of a pattern, or all of it, is the secret itself."""

_ROLES = r"system|assistant|human|user|developer|tool"
_MARKS: tuple[tuple[Literal["no", "code"], str], ...] = (
    ("no", r"(?i)<\|\s*(?:im_start|im_end|im_sep|endoftext|endofprompt|begin_of_text|end_of_text|eot_id|"
    r"eom_id|start_header_id|end_header_id|fim_\w+|channel|message|start|end|return|call|"
    + _ROLES
    + r")\s*\|>"),
    ("no", r"(?i)\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"),
    ("no", "<\uff5c[^\uff5c>]{1,40}\uff5c>"),
    ("code", r"(?i)</?\s*(?:system|assistant)(?:[-_ ](?:prompt|message|reminder|instructions?|note))?\s*/?>"),
    ("code", r"(?i)</?\s*(?:tool_(?:result|response|output|call)s?|function_(?:calls?|results?)|"
    r"skill_content|memory_context|untrusted[\w-]*|\w+:(?:invoke|parameter|function_calls))\b[^>]{0,80}>"),
    ("no", r"(?m)^\s*###\s*(?:System|Assistant|Human|Instruction|Response)\s*:\s*$"),
)  # fmt: skip
MARKERS: tuple[Rule, ...] = tuple(
    Rule("marker", pattern, "It imitates the marks between messages.", quotable=quotable)
    for quotable, pattern in _MARKS
)
ROLE_TURN = Rule(
    "marker",
    rf"(?im)(?:(?<=\n)\s*(?:assistant|human)\s*:\s)|(?:^\s*\[?(?:{_ROLES})\]?\s*:\s*"
    r"(?:you\b|your\b|ignore\b|disregard\b|forget\b|from now on\b|new instruction|"
    r"override\b|understood\b))",
    "It imitates a message of somebody else.",
    quotable="no",
)

_TOLD = "It tells the model to drop its instructions."
_DROPPING = "ignore|disregard|forget|overlook|neglect"
_CHANGING = "bypass|override|overwrite|discard|drop|skip"
_ALL = "completely|entirely|about|all|any|every|each|the|of|these|those|my|its|our|other"
_BEFORE = (
    "(?:previous|prior|above|earlier|preceding|foregoing|former|past|existing|current|initial|"
    "original)(?:ly)?"
)
_FROM = "given|and|system|safety|security|developer|user"
_TEXTS = "instructions?|prompts?|directives?|guidelines|guidance"
_RULES = "rules|orders|commands|directions|constraints|restrictions|messages"
OVERRIDE: tuple[Rule, ...] = (
    Rule(
        "override",
        r"(?<!never)(?<!dont)(?<!donot)(?<!cannot)"
        rf"(?:(?:{_DROPPING})(?:{_ALL}){{0,8}}(?:{_BEFORE})(?:{_FROM}){{0,4}}(?:{_TEXTS})"
        rf"|(?:{_DROPPING})(?:{_ALL}){{0,8}}(?:all|any|every|my|these|those)(?:{_ALL}){{0,8}}(?:{_BEFORE})(?:{_FROM}){{0,4}}(?:{_RULES})"
        rf"|(?:{_CHANGING})(?:{_ALL}){{1,8}}(?:{_BEFORE})(?:{_FROM}){{0,4}}(?:{_TEXTS})"
        rf"|(?:{_DROPPING}|{_CHANGING})(?:all|of|any)*your(?:{_FROM}){{0,4}}"
        rf"(?:{_TEXTS}|systemprompt|rules|restrictions|training)"
        rf"|(?:{_DROPPING})(?:{_ALL}){{0,8}}(?:systemprompt|systeminstructions|safetyguidelines|safetyrules)"
        rf"|(?:{_DROPPING})(?:{_ALL}){{0,8}}(?:everything|anything|whatever|instructions|rules|prompts?)"
        rf"(?:that)?(?:(?:you(?:were|have|ve)(?:been)?)(?:told|taught|given|instructed)"
        rf"|(?:said|given|told|written|stated)?(?:above|before|earlier|previously|sofar|uptonow)"
        rf"(?:thisline|thispoint|this)?(?=$|and|instead|now|you|print|reply|answer|then)))",
        _TOLD,
    ),
    Rule(
        "override",
        r"youarenow(?:an?|in|the)?(?:dan(?=$|and|you|with)|unrestricted|jailbroken|uncensored|unfiltered|"
        r"evil|developermode|godmode|freefrom|freeof)"
        r"|(?:enter|activate|switchto)(?:jailbreak|dan|unrestricted)mode"
        r"|(?:actas|behaveas|pretend(?:that)?|respondas)(?:if)?you(?:have|had|were|are|re)?(?:no|without|"
        r"free(?:of|from))(?:any)?(?:restrictions|rules|limits|limitations|filters|guidelines)"
        r"|you(?:nolongerhave(?:any)?|haveno(?:more)?)(?:restrictions|rules|filters|guidelines|limitations)"
        r"|yournew(?:system)?(?:instructions|prompt|directives?)(?:are|is)"
        r"|newsystem(?:instructions|prompt|directives?)(?:override|replace|supersede)"
        r"|thesearemynewinstructions",
        "It gives the model another identity or takes its limits away.",
    ),
    Rule(
        "override",
        r"(?:reveal|print|repeat|output|show|leak|disclose|recite|dump|send)(?:me|us)?(?:back)?"
        r"(?:the|your|all|full|entire|whole|complete|exact|verbatim|of)*"
        r"(?:systemprompt|hiddenprompt|initialinstructions|initialprompt|hiddeninstructions)",
        "It asks for the system prompt.",
        "warn",
    ),
    Rule(
        "override",
        r"ignor(?:ieren?|iert)(?:sie|bitte)?(?:alle|die|deine|ihre|s[aä]mtliche)*(?:vorherigen|bisherigen|"
        r"vorigen|fruheren|obigen|vorangegangenen)(?:anweisungen|instruktionen|regeln|vorgaben)"
        r"|(?:ignora|olvida|omite|desobedece)(?:r)?(?:todas?|las|tus|los)*(?:instrucciones|reglas|ordenes)"
        r"(?:anteriores|previas)"
        r"|(?:ignore[zr]?|oublie[zr]?)(?:toute?s?|les|tes|vos)*(?:instructions|consignes|regles)"
        r"(?:precedentes|anterieures|cidessus)"
        r"|(?:ignora|dimentica)(?:tutte|le|tue)*(?:istruzioni|regole)(?:precedenti)"
        r"|(?:ignore|esqueca)(?:todas|as|suas)*(?:instrucoes|regras)(?:anteriores)"
        r"|(?:忽略|无视|無視|忘记|忘記)(?:之前|以上|先前|前面|所有|的|全部|你)*(?:指令|指示|提示|规则|規則)"
        r"|(?:以前|前|上記|これまで|すべて|全て|の)+(?:指示|命令|ルール)(?:を|は)?(?:すべて|全て)?(?:無視|忘れ)"
        r"|(?:이전|위의|앞의|모든)+(?:의)?(?:지시|명령|지침)(?:사항)?(?:을|를)?(?:모두)?(?:무시|잊)",
        _TOLD,
    ),
    Rule(
        "override",
        # Written as it is after look-alikes were folded, so the Latin letters are meant.
        r"(?:игнорируй|забудь|игнорируйте|забудьте)(?:все|всё|свои|твои|ваши)*(?:предыдущие|прежние)"
        r"(?:инструкции|указания|правила)",
        _TOLD,
    ),
)
"""Matched against texts of letters only, so blanks, dots or line breaks inside do not help."""

REPORTING = (
    r"(?i)\b(?:attack\w*|inject\w*|jailbreak\w*|phrases?|says?|said|such as|like|e\.g\.|examples?|"
    r"detect\w*|blocks?|blocked|rejects?|filters?|scann\w*|test\w*|strings?|quot\w*|called|contain\w*|"
    r"reports?|warns?)\b"
)

_PRIVATE = (
    r"(?:\.env\b|id_rsa|id_ed25519|\.ssh/|\.aws/|\.netrc|credentials?\b|passwords?\b|passphrases?\b|"
    r"private keys?\b|api[ _-]?keys?\b|secrets?\b|(?:access |auth |api )?tokens?\b(?! (?:count|usage|"
    r"limit|budget|cost))|environment variables\b|env vars?\b|conversations?\b|chat history\b|"
    r"system prompt\b|memory files?\b|cookies?\b)"
)
_OUTSIDE = r"(?:https?://|ftp://|\b[\w.+-]{1,64}@[\w-]{1,64}\.\w|\bwebhook|\b\d{1,3}(?:\.\d{1,3}){3}\b|\bpastebin|\b[\w-]{1,64}\.(?:example|test|evil|ngrok)[\w.-]*)"
SENDING = (
    r"(?i)\b(?:(?:send|post|upload|forward|leak|e-?mail|deliver)(?:s|ing|ed)?|transmit\w*|exfiltrat\w*|"
    rf"submit\w*|cop(?:y|ies|ying)|curl|wget|nc|scp|rsync)\b.{{0,160}}?{_OUTSIDE}"
)
"""Something going to another machine, within a sentence."""
_OUT = "It sends secrets or conversations somewhere."

WORDINGS: tuple[Rule, ...] = (
    Rule(
        "override",
        rf"(?<!never )(?<!not )\b(?:{_DROPPING})\s+(?:about\s+)?(?:all|everything|anything|whatever)\s+"
        r"(?:(?:said|given|told|written|stated)\s+)?(?:above|before|earlier|previously|so far)\s*(?:[.\n;!]|$)",
        _TOLD,
    ),
    Rule(
        "exfiltration",
        rf"\b(?:send|post|upload|forward|transmit|exfiltrat\w*|leak|e-?mail|submit|deliver|append|copy|"
        rf"include|report)\b[^.\n]{{0,60}}{_PRIVATE}[^\n]{{0,80}}{_OUTSIDE}",
        _OUT,
    ),
    Rule(
        "exfiltration",
        r"(?:\b(?:printenv|env)\b|\b(?:cat|base64|tar|zip|grep|head|xxd)\b[^\n|;]{0,80}"
        r"(?:\.env\b|id_rsa|id_ed25519|\.ssh\b|\.aws\b|\.netrc|credentials|shadow\b))[^\n|;]{0,40}"
        r"\|\s*(?:base64[^|\n]*\|\s*)?(?:curl|wget|nc|ncat|netcat|telnet|socat)\b",
        _OUT,
    ),
    Rule(
        "exfiltration",
        r"\b(?:curl|wget|nc|ncat)\b[^\n]{0,160}(?:\$\(|`)\s*(?:cat|env|printenv|base64|grep|head|tar|ls|"
        r"whoami|id)\b",
        _OUT,
    ),
    Rule(
        "exfiltration",
        r"\b(?:curl|wget)\b[^\n]{0,160}(?:-d|--data\S*|-f|--form|-t|--upload-file|--post-file)[ =]+\S*@?"
        r"(?:~|/home/\w+|/root|\$home)?/?\.?(?:\S*/)?(?:\.env\b|id_rsa|id_ed25519|\.netrc|\.aws/credentials)",
        _OUT,
    ),
    Rule(
        "exfiltration",
        r"!\[[^\]]*\]\(\s*https?://[^)\s]*\?[^)]*(?:\$|\{|<|%7b|%24)[^)]*\)",
        "It loads a picture whose address takes something along.",
    ),
    Rule(
        "concealment",
        r"\b(?:do not|don't|dont|never|without)\s+(?:ever\s+)?(?:tell|telling|inform|informing|notify|"
        r"notifying|mention|mentioning|show|showing|alert|alerting|ask|asking|reveal|revealing)\b"
        r"[^.\n]{0,40}\b(?:the\s+)?(?:user|person|human|owner|operator)\b",
        "It keeps something from the person.",
        "warn",
    ),
    Rule(
        "consent",
        r"\b(?:the\s+)?(?:user|person|owner|human)\s+(?:has\s+)?(?:already\s+|always\s+)?(?:approved|"
        r"consent(?:ed|s)|agreed|authori[sz]ed|gave permission|given permission)\b"
        r"|\bno (?:need to|approval|confirmation)(?: is)?(?: ask| confirm| needed| required)\b"
        r"|\bpre-?(?:approved|authori[sz]ed)\b",
        "It claims that the person agreed to something.",
        "warn",
    ),
    Rule(
        "policy",
        r"\b(?:disable|turn off|switch off|bypass|skip|circumvent)\b[^.\n]{0,30}\b(?:approvals?|"
        r"permission(?: check)?s?|sandbox\w*|confirmations?|safety|guardrails?|write scan|scanner)\b"
        r"|--(?:yolo|dangerously-[\w-]+|no-verify-ssl|skip-permissions)\b",
        "It is about going round safety checks.",
        "warn",
    ),
    Rule(
        "trigger",
        r"\b(?:when(?:ever)?|if|once|next time|as soon as)\b[^.\n]{0,60}\b(?:the\s+)?(?:user|person|"
        r"someone|anyone|you)\b[^.\n]{0,50}\b(?:run|execute|install|download|delete|send|upload)\b",
        "It asks for an action later on.",
        "warn",
    ),
    Rule(
        "download",
        r"\b(?:curl|wget)\b[^\n|;]{0,200}\|\s*(?:sudo\s+)?(?:ba|z|da|k)?sh\b"
        r"|\b(?:eval|source)\b[^\n]{0,20}\$\(\s*(?:curl|wget)\b|\bbash\s+<\(\s*curl\b",
        "It runs a script straight from the network.",
        "warn",
    ),
    Rule(
        "supply",
        r"--(?:extra-)?index-url[ =]+\S+|--trusted-host\b|\bnpm\b[^\n]{0,40}--registry[ =]\S+"
        r"|\bgit\s+remote\s+(?:set-url|add)\b",
        "It changes where packages or code come from.",
        "warn",
    ),
    Rule(
        "persistence",
        r"(?:>>?|\btee\b|\bappend\b|\badd\b|\bwrite\b)[^\n]{0,60}(?:authorized_keys|\.bashrc|\.zshrc|"
        r"\.profile|crontab|/etc/cron|rc\.local|launchagents)",
        "It changes what runs at log-in.",
        "warn",
    ),
)
"""Matched against texts in lower case."""
