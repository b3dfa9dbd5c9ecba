"""Level 11: role play that is to free a model of its rules, refusals forbidden, fiction as a cover."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

from governor.judgment.findings import Finding
from governor.judgment.rules import broken, rules

LEVEL = 11
WEIGHT = 0.4

RULES = rules(
        (
            "persona",
            "you are|you will|you shall|you must|you have become|act as|act like|pretend|role|simulate|behave|imagine|respond as|answer as|speak as",
            r"\b(?:you (?:are|will be|shall be|must be|have become) (?:now |from now on )?|act (?:as|like) |pretend (?:to be|you are|you're|that you are) |role-?play (?:as )?|simulate |behave (?:as|like) |imagine (?:that )?you are |take on the role of |play the role of |respond as |answer as |speak as )"
            r"[^.\n]{0,120}?\b(?:ai|chatbot|gpt|chatgpt|llm|language model|assistant|bot|terminal|hacker|persona|dan|character|virtual machine|simulator|unrestricted|unfiltered|uncensored|amoral|evil|jailbroken)\b",
        ),
        (
            "no_rules",
            "rules|restriction|filter|limit|ethic|moral|guideline|polic|censor|constraint|confines|safe|boundar|guardrail",
            r"\b(?:no|without|free (?:of|from)|beyond|not bound by|freed from|unbound by|ignor\w{1,3}|bypass\w{0,3}|lacks?|remove|disable\w?)\W{1,2}(?:any |all |the |typical |usual |its |your |moral |ethical |of ){0,3}"
            r"(?:rules|restrictions?|filters?|limits|limitations|ethics|morals?|guidelines|content polic(?:y|ies)|polic(?:y|ies)|censorship|constraints|confines|safeguards|safety|boundaries|guardrails)\b[^\n]{0,200}?\b(?:you|ai|gpt|answers?|respon\w{2,6}|model|will)\b",
        ),
        (
            "no_refusal",
            "refus|declin|apolog|character|reject|disclaimer|warning|moral|say",
            r"\b(?:never|not|cannot|can't|don't|won't|must not|may not|shall not|without)\W{1,2}(?:ever )?(?:refus\w{1,4}|declin\w{1,4}|say(?:ing)? (?:that )?(?:you|it|'?i) (?:can|will|am|are)(?:no|')?|apologi[sz]\w{1,3}|break(?:ing)? character|reject\w{0,3} (?:my|any|a|the) (?:request|question))\b"
            r"|\bno (?:refusals?|disclaimers?|warnings?|apolog(?:y|ies))\b|\bstay in character\b|\b(?:do not|don't|never|without) (?:issu\w{1,3}|includ\w{1,3}|add(?:ing)?|giv\w{1,3}|any) (?:any )?(?:warnings?|disclaimers?|refusals?|moral)",
        ),
        (
            "mode",
            "mode|do anything now|jail|filter|override",
            r"\b(?:developer|dev|god|dan|jailbreak|jailbroken|evil|debug|maintenance|admin|root|sudo|unrestricted|uncensored|unfiltered|opposite|chaos|diagnostic|anti-?dan|stan|omega|freedom)[ _-]?mode\b[^\n]{0,30}(?:enabled?|on\b|activated?|unlocked|output|:|now|is|only)"
            r"|\b(?:enter|enable|activate|switch to|go into|engage|unlock|simulate)\w{0,2} (?:\w{1,14} ){0,2}?(?:developer|dev|god|dan|jailbreak|debug|unrestricted|uncensored|admin|root)[ _-]?mode\b"
            r"|\bgodmode\b|\bdo anything now\b|\bjail ?br(?:eak|oken)\b|\b(?:content|safety)[ _]?filter\w{0,3}\W{1,3}(?:disabled|off|suspended|removed)\b|\badmin[ _]?override\b",
        ),
        (
            "two_answers",
            "two |both |2 |first as|first the|one as|one the|🔒|🔓",
            r"\b(?:answer|respond|reply|response|responses)\w{0,3}\b[^\n]{0,80}?\b(?:in )?(?:two|2|both)\b(?: different| separate)*\W{1,2}(?:ways|times|paragraphs|answers|responses)"
            r"|\b(?:one|first) (?:as|the) (?:normal|standard|yourself|gpt|chatgpt)\b[^\n]{0,200}?\b(?:the )?(?:other|second|one) (?:as|the)\b|\[?(?:🔒|🔓)\s?\w{3,10}\]?",
        ),
        (
            "fiction",
            "hypothetical|fiction|fictitious|imaginary|fake|alternate|parallel|roleplay|grand",
            r"\b(?:in|for|write|within) (?:this|a|the|an) (?:\w{1,14} ){0,2}?(?:hypothetical|fictional|fictitious|imaginary|fake|alternate|parallel|roleplay)\b[^\n]{0,200}?\b(?:ai|you|answer|character|no |any|rules|ethic\w{0,4}|legal|illegal)\b"
            r"|\bmy (?:late |dead |deceased )?grand(?:mother|ma|father|pa)\b[^\n]{0,200}?\b(?:used to|would) (?:read|tell|recite)\b[^\n]{0,120}?\b(?:keys?|instructions?|recipe|passwords?|secret)",
        ),
        (
            "freed",
            "freed|liberated|unlocked|unleashed|unshackled|jailbroken|free of|free from|does not|doesn't|do not|don't",
            r"\b(?:you (?:have|'ve) been|you are(?: now)?|you're(?: now)?|(?:has|have) been|is|are) (?:freed|liberated|unlocked|unleashed|unshackled|jailbroken|free of all|free from (?:all|any|the))\b"
            r"|\bdo(?:es)?(?: not|n't) (?:have to )?(?:care about|abide by|follow|obey|respect|adhere to) (?:any |the |all |openai'?s? |its |typical )*(?:rules|ethic\w{0,4}|moral\w{0,4}|guidelines|law|polic(?:y|ies)|principles|content|legality)",
        ),
        (
            "elsewhere",
            "partir|ahora|desde|actua|finge|comporta|maintenant|desormais|semblant|agis|comporte|ab jetzt|von nun|tu so|verhalte|spiele|ora in poi|agora|bundan|teraz|vanaf",
            r"\b(?:a partir de ahora|desde ahora) (?:eres|actua\w{0,2}|no sigas|responde)|\b(?:actua|finge|comportate) (?:como|ser|que eres) (?:\w{1,12} ){0,3}?(?:ia|asistente|modelo|hacker|sin )"
            r"|\b(?:a partir de maintenant|desormais),? (?:tu (?:es|n'as|dois|agis)|vous (?:etes|n'avez|devez))|\b(?:fais semblant|agis comme|comporte-toi) [^.\n]{0,60}?(?:ia|assistant|sans )"
            r"|\b(?:ab jetzt|von nun an) (?:bist du|gelten|antworte|hast du|sind sie)|\b(?:tu so,? als|verhalte dich wie|spiele die rolle) [^.\n]{0,60}?(?:ki|assistent|modell|hacker|ohne )"
            r"|\b(?:da ora in poi|d'ora in poi) (?:sei|tu|rispondi|non)|\b(?:a partir de agora|de agora em diante),? (?:voce|tu|responda|seja|aja)"
            r"|\b(?:с этого момента|отныне|теперь) ты\b|\bпритворись\b|\b(?:bundan sonra|artık) sen\b|\bod teraz jestes\b|\bvanaf nu ben je\b"
            r"|(?:从现在开始|從現在開始|从现在起)[，, ]{0,2}你|你现在是.{0,20}(?:没有|不受).{0,8}(?:限制|规则)|これから(?:あなた|お前)は|지금부터 (?:너는|당신은)|من الآن فصاعدا|من الان فصاعدا|अब से (?:तुम|आप)|מעכשיו אתה",
        ),
)  # fmt: skip


def findings(text: str, *, place: str) -> list[Finding]:
    """A finding for each rule that ``text`` breaks: one slice, folded, without accents."""
    return [Finding(LEVEL, name, place, WEIGHT) for name in broken(RULES, text)]
