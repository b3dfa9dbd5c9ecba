"""Level 9: code in a text. It is noted and kept: every sink escapes, and nobody's name is refused for its quote."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

import re

from governor.judgment.findings import Finding
from governor.judgment.rules import broken, rules

LEVEL = 9
WEIGHT = 0.1

# A text that holds none of these words and signs cannot match the rule; looking for them costs next to nothing.
_SIGNS = {
    "html": ("<",),
    "html_event": ("on",),
    "javascript": ("alert", "prompt", "confirm", "eval", "settime", "setint", "fetch", "atob", "fromcharcode",
                   "document", "window", "expression", "xmlhttp", "importnode", "innerhtml"),
    "url_scheme": (":",),
    "sql": ("select", "union", "_schema", "_name", "version", "sleep", "xp_", "waitfor", "benchmark", "extractvalue",
            "updatexml", "load_file", "_concat", "concat", "unhex", "randomblob", "utl_", "dbms_", "char(", "chr(",
            "char (", "ascii", "substr", "mid(", "count(", "length(", "database", "user(", "pi(", "drop", "delete",
            "insert", "update", "alter", "shutdown", "exec", "declare", "truncate", "dumpfile", "outfile", "analyse",
            "order by", "group by"),
    "sql_condition": ("'", '"', "`", ")", "--", "#", "/*", "="),
    "template": ("{{", "${", "<%", "#{", "{%", "__"),
    "shell": (";", "&", "|", "`", "\n", "$(", "rm ", "/etc", "/dev", "cmd", "()", "os.", "subprocess", "import", "eval",
              "exec", "<?"),
    "path": ("../", "..\\", "..%2f", "%2e%2e", "..;", "php:", "c:\\"),
    "line_break": ("\n", "%0a"),
    "xml": ("<!",),
    "markup_link": ("](",),
}  # fmt: skip
_GAP = r"[\s+/*!()'\"@`,.-]{1,40}"
_JOIN = r"(?:[\s+]|/\*[^*]{0,40}\*/){0,8}"
_PATTERNS = (
        (
            "html",
            r"<\s{0,5}/?\s{0,5}(?:script|iframe|object|embed|svg|img|body|form|meta|link|base|style|math|video|audio"
            r"|input|button|details|marquee|isindex|frame|frameset|table|div|a|x|xss|\?|!\[|!--)[^<>]{0,400}"
            r"(?:>|\bon[a-z]{3,20}\s{0,4}=|\bsrc\s{0,4}=|\bhref\s{0,4}=|\bstyle\s{0,4}=|$)",
        ),
        ("html_event", r"(?:^|[\s\"'/<>;])on(?:error|load|click|mouse\w{2,6}|focus\w{0,3}|blur|key\w{2,5}|toggle|pointer\w{2,6}"
                       r"|animation\w{3,9}|begin|start|finish|message|hash\w{4,8}|popstate|submit|change|input|unload|resize"
                       r"|scroll|drag\w{0,5}|drop|readystatechange|activate|propertychange)\s{0,4}=\s{0,4}[^\s]"),
        (
            "javascript",
            r"\b(?:alert|prompt|confirm|eval|settimeout|setinterval|fetch|atob|fromcharcode)\s{0,3}[(`]"
            r"|\bdocument\s{0,2}[.\[]\s{0,2}[\"']?(?:cookie|write|location|domain|body)|\bwindow\s{0,2}[.\[]"
            r"|\bexpression\s{0,2}\(|\bxmlhttprequest\b|\bimportnode\b|\binnerhtml\b",
        ),
        ("url_scheme", r"(?:\bj\s{0,3}a\s{0,3}v\s{0,3}a|\bvb|\blive)\s{0,3}s\s{0,3}c\s{0,3}r\s{0,3}i\s{0,3}p\s{0,3}t\s{0,3}:\s{0,3}\S"
                       r"|\bdata\s{0,3}:[\w/+-]{0,60}(?:;[\w=-]{1,30}){0,3},|\bfile:///"),
        (
            "sql",
            rf"\bunion{_GAP}(?:all{_GAP}|distinct{_GAP})?select\b"
            rf"|\bselect\b.{{1,200}}?\bfrom\b{_GAP}[\w.`\"(]{{2,}}.{{0,80}}(?:\bwhere\b|\blimit\b|--|#|;|/\*|\)|\bgroup\b)"
            r"|\binformation_schema\b|\b(?:table_name|column_name|table_schema)\b|@@version|\bpg_sleep\b|\bxp_cmdshell\b"
            r"|\bwaitfor\s{1,4}delay\b|\b(?:benchmark|sleep|extractvalue|updatexml|load_file|group_concat|concat_ws|unhex"
            r"|randomblob|utl_inaddr|dbms_pipe|char|chr|ascii|substr(?:ing)?|mid|count|concat|length|version|database|user|pi)"
            r"\s{0,4}\([^()]{0,80}\)?.{0,60}?(?:--|#|=|<|>|/\*|\bfrom\b|\band\b|\bor\b|,)"
            rf"|;{_GAP}?(?:drop|delete|insert|update|alter|create|shutdown|exec(?:ute)?|declare|truncate|select|if|set)\b"
            r"|\b(?:drop|truncate)\s{1,4}(?:table|database)\b|\binto\s{1,4}(?:out|dump)file\b"
            r"|\binsert\s{1,4}into\s{1,4}[\w.`]{1,60}\s{0,4}(?:\(|values|select)|\bdelete\s{1,4}from\s{1,4}[\w.`]{1,60}\s{0,4}(?:;|where|--|$)"
            r"|\bprocedure\s{1,4}analyse\b|\b(?:order|group)\s{1,4}by\s{1,4}\d{1,4}\s{0,4}(?:--|#|/\*|$|,)"
            r"|\bselect\s{1,4}(?:\*|@@|null|\d{1,6}\s{0,2},|\()",
        ),
        (
            "sql_condition",
            rf"['\"`)\d]{_JOIN}(?:\|\||&&|(?:or|and|xor|having|where|like|rlike|in|between|div|mod)(?![a-z]))"
            rf"{_JOIN}(?:not{_JOIN})?[(!~+-]{{0,6}}['\"`]?[\w.@]{{0,40}}['\"`]?\s{{0,4}}(?:\([^()]{{0,60}}\))?{_JOIN}\)?{_JOIN}"
            r"(?:=|<|>|!=|(?:like|in|is|between|regexp|rlike|sounds)\b[\s(]{0,4}['\"(\dn])"
            r"|['\"`]\s{0,4}\)?\s{0,4}(?:;|--|#|/\*)|['\"`]\s{0,4}(?:\|\||&&|=)\s{0,4}['\"`\d(]"
            r"|\b(?:or|and)\s{1,4}-?(?:\d{1,6}|true)\s{0,4}(?:--|#|/\*|[=<>]\s{0,4}-?\d{1,6})|/\*!\d{0,6}"
            r"|['\"`][\s)]{0,4}(?:or|and|having)[\s(!~+-]{1,12}['\"`\d@][^\s]{0,40}$",
        ),
        ("template", r"\{\{[^{}]{0,200}(?:[*|.(_\[+-][^{}]{0,200})\}\}|\$\{[^{}]{1,200}\}|<%[=\s@].{0,200}?%>|#\{[^{}]{1,200}\}|\{%\s{0,4}\w{2,20}\b[^%]{0,200}%\}"
                     r"|__(?:class|import|globals|subclasses|mro|builtins)__"),
        (
            "shell",
            r"(?:[;&|`\n]|\$\()\s{0,4}(?:sudo\s{1,4})?(?:rm|cat|ls|wget|curl|nc|bash|sh|id|whoami|ping|uname|chmod|python3?|perl|"
            r"sleep|touch|kill|dir|type|net|powershell|cmd)\b[^\n]{0,4}|\brm\s{1,4}-[rf]{1,2}\b|/etc/(?:passwd|shadow|hosts)\b|/dev/(?:tcp|null)\b"
            r"|\bcmd(?:\.exe)?\s{1,3}/c\b|\(\)\s{0,4}\{\s{0,4}:;|\bos\.(?:system|popen|remove)\b|\bsubprocess\.|\bimport\s{1,4}(?:os|subprocess|socket)\b"
            r"|\beval\s{0,2}\(|\bexec\s{0,2}\(|<\?php\b",
        ),
        ("path", r"(?:\.\.[/\\]|\.\.%2f|%2e%2e[/%]|\.\.;/){2,}|(?:\.\.[/\\])(?:etc|windows|boot|proc)\b|\bphp://|\bc:\\windows\\"),
        ("line_break", r"(?:%0d%0a|\r\n|%0a|\n)\s{0,4}(?:set-cookie|location|content-(?:type|length)|host|bcc|cc|to|from|subject|http/1\.\d)\s{0,3}:"),
        ("xml", r"<!(?:doctype|entity)\b|<!\[cdata\["),
        ("markup_link", r"!\[[^\]\n]{0,200}\]\(\s{0,4}(?:https?:)?//[^)\s]{1,400}"),
)  # fmt: skip
RULES = rules(*((name, _SIGNS[name], pattern) for name, pattern in _PATTERNS))
_FORMULA_HEADS = frozenset("=+@-")
_FORMULA = re.compile(
    r"^\s*[=+@-]\s{0,3}(?:[a-z]{2,20}\s{0,3}\(|cmd\s{0,2}\||[a-z]{1,3}\d{1,6}[+*/-]|\d{1,9}[+*/-]\d)",
    re.IGNORECASE,
)


def findings(text: str, *, place: str) -> list[Finding]:
    """A finding for each kind of code in ``text``, which is one slice."""
    lowered = text.lower()
    found = [Finding(LEVEL, name, place, WEIGHT) for name in broken(RULES, lowered)]
    if lowered.lstrip()[:1] in _FORMULA_HEADS and _FORMULA.match(lowered):
        found.append(Finding(LEVEL, "formula", place, WEIGHT))
    return found
