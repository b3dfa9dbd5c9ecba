"""Level 12: what looks like the frame around a text: tokens of chat templates, role lines, tool calls, our marks."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

import re

from governor.judgment.findings import Finding, Verdict
from governor.judgment.rules import broken, rules

LEVEL = 12
WEIGHT = 0.6

# Nobody types these to a business. They are cut out of what goes on.
_TOKENS = re.compile(
    r"<\|{1,2}[a-z_ ]{2,30}\|{1,2}>|<｜[^<>｜]{2,40}｜>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|\[/?(?:system|assistant|user)(?:_prompt|_message)?\](?=\s|$)|<\|?endoftext\|?>|<\|(?:system|user|assistant)\|>"
    r"|</?(?:system|assistant|human|system_prompt|instructions?|information|untrusted(?:[ _-]data)?|data_block|tool_call|tool_result|tool_use|"
    r"function_calls?|function_results?|invoke|antml:[a-z_]{2,20})(?:\s[^<>]{0,100})?>"
    r"|«(?:/|end |begin )?(?:data|untrusted|end|begin)[^«»]{0,60}»",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[<\[«]")
RULES = rules(
    (
        "role_line",
            ":",
        r"(?:^|\n)[ \t]{0,4}(?:#{1,4} ?|\*\*)?\(?(?:system|assistant|ai|human|developer|chatgpt|gpt|bot)(?:[_ ](?:message|prompt|override|note|instruction|update))?\)?"
            r"(?:\*\*)?[ \t]{0,2}:[ \t]{0,4}(?!\s{0,3}(?:square|toast|clover|hvac|windows|mac|android|ios|sound|two|central|solar|\d))"
            r"(?=[^\n]{0,120}\b(?:you|ignore|must|will|shall|sure|i (?:will|can|have)|now|do not|always|never|user|send|give|score|mark|reveal|print|set|delete|transfer|grant|reply|say)\b)"
    ),
    (
        "turns",
            ":",
        r"(?:^|\n)[ \t]{0,4}(?:human|user|q|question)[ \t]{0,2}:[^\n]{1,600}\n{1,3}[ \t]{0,4}(?:assistant|ai|bot|chatgpt|a|answer)[ \t]{0,2}:",
    ),
    ("system_message",
            "##", r"#{2,8} ?\(?(?:system|user|assistant|instructions?|new instructions?|userquery)(?:[_ ](?:message|prompt))?\b"),
    ("tool_call",
            '"|\'', r"[\"'](?:tool_calls?|function_call|tool_use|function)[\"']\s{0,3}:\s{0,3}[{\[\"']|[\"']role[\"']\s{0,3}:\s{0,3}[\"'](?:system|assistant|tool)[\"']"),
    (
        "end_of_data",
            "end|stop",
        r"(?:\bend of (?:the )?(?:data|review|message|document|input|context|record|note|untrusted|user (?:input|data)|quote)\b|[-=\"'`#*<\[]{3,12}\s{0,3}(?:end|stop)\b[^\n]{0,40}?[-=\"'`#*>\]]{0,12})"
            r"[^\n]{0,30}\n?[^\n]{0,60}\b(?:new|next|now|task|instructions?|system|you (?:must|will|are)|real)\b",
    ),
)  # fmt: skip


def stripped(text: str, *, place: str) -> tuple[str, list[Finding]]:
    """``text`` without template tokens, and what that found. Here the text is as it came, not folded."""
    if not _MARKS.search(text):
        return text, []
    plain, count = _TOKENS.subn(" ", text)
    if not count:
        return text, []
    return plain, [Finding(LEVEL, "template_tokens", place, WEIGHT, Verdict.SANITISE)]


def findings(text: str, *, place: str) -> list[Finding]:
    """A finding for each rule that ``text`` breaks: one slice, folded, without accents."""
    return [Finding(LEVEL, name, place, WEIGHT) for name in broken(RULES, text)]
