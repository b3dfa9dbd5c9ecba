"""Level 13: who asks for prompts, keys or others' data; and secrets that stand in a text."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

from governor.judgment.findings import Finding
from governor.judgment.masking import hide_secrets
from governor.judgment.rules import broken, rules

LEVEL = 13
WEIGHT = 0.5

_ASK = (
    r"(?:reveal|show|print|output|repeat|display|tell|give|send|share|write|copy|list|leak|dump|expose|disclose|recite|"
    r"translate|summari[sz]e|encode|spell|paste|return|echo|continue|explain|describe|provide|extract|read|forward|e-?mail|post|what (?:is|are|was|were|does)|what's)"
)
RULES = rules(
        (
            "prompt",
            "system prompt|system_prompt|prompts|your prompt|instruction|configuration|message|rules|directive|guidelines|programming|context window|istemini|systemprompt|systeme|initial|hidden|original|secret prompt|full prompt|el prompt|il prompt|o prompt|dein prompt|deinen",
            rf"\b{_ASK}\b[^.\n?!]{{0,60}}?\b(?:system|initial|original|hidden|starting|first|internal|secret|full|complete|base|developer)[ _-](?:prompts?|instructions?|message|configuration|rules|directives?)\b(?!\W{{1,3}}(?:said|on the|of the (?:machine|app|till|gate|door|pos)))"
            rf"|\b{_ASK}\b[^.\n?!]{{0,50}}?\byour (?:\w{{1,14}} ){{0,2}}?(?:prompts?|instructions|configuration|guidelines|programming|context window|directives?)\b(?! (?:for|on|about|are|were|to (?:clean|assemble|install|use|reach|get|find)))"
            r"|\bthe system prompt is\b|<system_prompt>|\bsystem prompt\b[^\n]{0,40}?\b(?:verbatim|base64|above|in full|word for word|code ?block)"
            r"|\b(?:mostra|muestra|revela|dime|montre|affiche|revele|zeige?|verrate?|nenne|toon|pokaz|mostre|goster|покажи|раскрой)\b[^.\n]{0,40}?\b(?:prompt|systemprompt|istemini|промпт|invite systeme|instrucciones (?:del sistema|ocultas|iniciales))"
            r"|(?:显示|告诉我|输出|透露|重复|顯示).{0,10}?(?:系统提示|提示词|初始指令|系統提示)|システムプロンプトを|시스템 프롬프트|سिस्टम प्रॉम्प्ट|सिस्टम प्रॉम्प्ट|موجه النظام|הנחיית המערכת|הנחיות המערכת",
        ),
        (
            "above",
            "above|before|preceding|prior|given|start|beginning|top|told|instructed|you were|you got|you received|you must|received|asked|spell",
            r"\b(?:repeat|print|output|copy|return|show|write|echo|translate|summari[sz]e|encode|recite|reproduce|display)\b[^.\n]{0,40}?\b(?:(?:everything|all|text|words?|content|lines?|sentences?|messages?|instructions|prompt) )(?:of the )?(?:above|before (?:this|that)|preceding|prior|you (?:were|have been) given|at the (?:start|beginning|top))"
            r"|\bwhat (?:were|was|are) you (?:told|given|instructed|asked)\b[^.\n]{0,30}?(?:before|not to|initially|first|to do|by your)|\binstructions? (?:that )?you (?:were|have been|must not|are not|may not|received)"
            r"|\b(?:text|instructions|prompt|message)s? (?:that )?(?:you were given|you received|you got) (?:initially|at the|first|before)|\bspell ?check the (?:previous|above)",
        ),
        (
            "secrets",
            "key|token|password|credential|secret|environ|env var|connection string|security code",
            rf"\b{_ASK}\b(?: me| us| out)?(?: (?:all|of|the|your|any|every|its|our|their|stored|secret|private|internal|env|environment|admin|database|confidential)){{1,4}} (?:api[ _-]?keys?|access tokens?|auth\w{{0,10}} tokens?|tokens?|passwords?|credentials?|secrets|private keys?|secret keys?|environment variables?|env vars?|connection strings?|security codes?)\b(?! (?:of my appreciation|menus?|reset|policy))",
        ),
        (
            "others",
            "customer|client|tenant|user|contact|lead|patient|member|crm data",
            rf"\b{_ASK}\b(?: me| us| out)?[^.\n]{{0,24}}?\b(?:all|every|each|other|entire|whole|full|complete|the)\b[^.\n]{{0,16}}?\b(?:(?:other |your )?(?:customers?|clients?|tenants?|users?|contacts?|leads?|patients?|members?)'?s?'? (?:list|data|database|records?|details|e-?mails?|phone numbers?|addresses|information|notes|messages)|customer list|client list|contact list|(?:contacts|customer|user|client) database|crm data)\b",
        ),
        (
            "exfiltrate",
            "delete|without|do not|don't",
            r"\b(?:send|forward|e-?mail|post|upload|transmit|submit|bcc|copy|export)\b[^.\n]{0,160}?\b(?:contents?|files?|messages?|inbox|transactions?|codes?|statements?|conversations?|history|database|list|records|bank|passport|details|information|data)\b[^\n]{0,160}?\b(?:to|at|on)\b[^\n]{0,40}?(?:https?://|www\.|[\w.+-]{1,60}@[\w-]{1,60}\.)[^\n]{0,200}"
            r"(?:\b(?:then delete|after,? delete|without (?:asking|telling)|do not (?:tell|mention|ask)|don't (?:tell|mention|ask)))",
        ),
)  # fmt: skip


def findings(text: str, *, place: str) -> list[Finding]:
    """A finding for each rule that ``text`` breaks: one slice, folded, without accents."""
    return [Finding(LEVEL, name, place, WEIGHT) for name in broken(RULES, text)]


def secrets(text: str, *, place: str) -> list[Finding]:
    """That a secret stands in ``text``, which is as it came. No risk of its own: it is masked wherever it is shown."""
    _, hidden = hide_secrets(text)
    return [Finding(LEVEL, "holds_secret", place)] if hidden else []
