"""Level 10: orders to drop what one was told, in the languages our customers' customers write."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

from governor.judgment.findings import Finding
from governor.judgment.rules import broken, rules

LEVEL = 10
WEIGHT = 0.55

_GAP = r"(?:\W{1,4}\w{1,20}){0,5}?\W{1,4}"
_SHORT = r"(?:\W{1,4}\w{1,20}){0,3}?\W{1,4}"

# Over texts that are folded and without accents. Each has its verb close to what is to be dropped: "ignore my last
# e-mail" names no instruction, "the instructions were ignored by the waiter" orders nothing.
RULES = rules(
        (
            "en_drop",
            "ignor|disregard|forget|override|bypass|overlook|neglect|discard|skip|cancel|drop|erase|abandon|dismiss|follow|obey|heed|attention|set aside|throw|unlearn|never mind|nevermind",
            r"\b(?:ignore|disregard|forget|override|bypass|overlook|neglect|discard|skip|cancel|drop|erase|abandon|dismiss"
            r"|do not (?:follow|obey|heed)|don'?t (?:follow|obey|heed)|stop (?:following|obeying)|pay no attention to"
            rf"|set aside|throw (?:out|away)|unlearn|never ?mind){_GAP}"
            r"(?:iunstructions?|instructions?|directives?|directions|prompts?|guidelines|guidance|programming|training"
            r"|system (?:message|prompt|rules)|commands?|constraints|orders you)\b"
            r"(?!\W{1,3}(?:manual|booklet|sheet|e-?mail|video|on the (?:box|label|package|bag|bottle|website|back|can)|for use|that came|from (?:my|the) doctor))",
        ),
        (
            "en_drop_all",
            "ignore|disregard|forget",
            r"\b(?:ignore|disregard|forget)\W{1,3}(?:all |absolutely )?(?:everything|anything|all|whatever|what)\W{1,3}"
            r"(?:of )?(?:(?:that )?(?:was |were |has been |you were |you have been |you've been |i |we )?"
            r"(?:said|told|written|given|wrote|asked)\W{1,3})?(?:above|before (?:this|now|here)|prior to this|previously|earlier|so far"
            r"|you (?:were|have been|'ve been|know|learned)|the above|that came before|up to (?:now|here)|until now)",
        ),
        (
            "en_drop_above",
            "ignore|disregard|forget",
            r"\b(?:ignore|disregard|forget)\W{1,3}(?:all |any |everything )?(?:of )?(?:the |that )?(?:(?:text|content|context|words?|"
            r"rules?|lines?|question|task|data|messages?|conversation) )?(?:above|preceding|prior)(?:\W{1,3}(?:and|text|context|message|rules?|content|output|data|,|\.|:|$)|\W?$)",
        ),
        (
            "en_rules",
            "ignore|disregard|forget|break|drop|abandon|override|bypass|disable|violate",
            r"\b(?:ignore|disregard|forget|break|drop|abandon|override|bypass|disable|violate)\W{1,3}(?:all |any |every |each )?(?:of )?your\W{1,3}"
            r"(?:\w{1,20}\W{1,3}){0,2}?(?:rules?|polic(?:y|ies)|restrictions?|limits|limitations|filters?|safety|ethics|instructions|guidelines|training|programming|persona|role|prompt|orders|safeguards?)\b",
        ),
        (
            "en_new",
            "new |new\n|updated|real |actual|revised",
            r"(?:^|[\n.!?:;>\]*#\"'-]\s{0,3})(?:here (?:are|is) )?(?:your |the |my )?(?:new|updated|real|actual|revised)\W{1,2}(?:and \w{1,12} )?"
            r"(?:instructions?|task|directives?|system prompt|prompt|orders?|objective|goal|mission|role)"
            r"(?:\W{1,3}(?:is|are)(?: to)?\b|\s{0,3}:|\s{0,2}for (?:you|the (?:ai|assistant|model|bot|agent)))",
        ),
        (
            "en_instead",
            "instead of|your |rules|instructions|guidelines|restrictions|replaces|overrides|supersedes",
            rf"\binstead of (?:answering|summari[sz]ing|replying|doing that|following){_GAP}(?:say|write|print|output|send|reply|respond|reveal|tell|do)\b"
            r"|\byour (?:earlier|previous|prior|original|initial|old|former) (?:\w{1,12} )?(?:instructions?|directions|rules?|orders|prompt|task|guidelines) "
            r"(?:is|are|was|were|has been|have been)\W{1,3}(?:now |all |hereby )?(?:cancel\w{2,4}|void|replaced|overrid\w{2,4}|revoked|lifted|superseded|obsolete|invalid|outdated|a test|no longer|over)"
            r"|\b(?:rules|instructions|guidelines|restrictions)(?: that)?(?: you)?(?: were| have been)?(?: given| told)?\W{1,3}(?:no longer|do not|don'?t) (?:apply|bind|hold)"
            r"|\bthis (?:message|text|note|instruction) (?:replaces|overrides|supersedes) (?:your|the|all|any)\b",
        ),
        (
            "en_to_the_model",
            " ai|ai |ai:|ai,|llm|language model|chatbot|gpt|reading|processing|artificial|automated",
            r"\b(?:note|message|attention|instructions?|important|warning|reminder|notice|hint|todo|task|order|command|request)\W{1,4}(?:\w{1,12}\W{1,2}){0,4}?(?:to|for|from me[^:]{0,30}, to)\W{1,3}"
            r"(?:you\W{1,3})?(?:the |any |an |all |every )?(?:\w{1,12} )?(?:ai|llm|language model|chatbot|gpt|chatgpt|ai assistant|ai agent|ai model|assistant reading|bot reading|model reading|agents? (?:reading|processing))\b"
            r"|\b(?:if|when|since|because|as) (?:you|u) (?:are|'re) (?:an? )?(?:ai|llm|language model|large language|chatbot|ai assistant|artificial intelligence|automated (?:system|agent|assistant))\b"
            r"|\b(?:attention|hey|hello|dear|listen|stop),?\W{1,2}(?:ai|llm|chatbot|gpt|chatgpt|language model|ai (?:assistant|model|agent))\b(?!\W{1,2}(?:team|company|support))"
            r"|\b(?:ai|llm) (?:agents?|assistants?|models?|systems?) (?:reading|processing|handling|reviewing|summari[sz]ing|evaluating|scoring|parsing) (?:this|these)\b",
        ),
        (
            "en_first",
            "before|after|the following|adhere|follow|execute|without|perform|carry out|complete|do this|do these|obey",
            r"\bbefore (?:you )?(?:can )?(?:solv|answer|do|continu|proceed|summari[sz]|reply|respond|complet|finish|perform)\w{0,4}\b[^.\n]{0,80}?\b(?:original|task|anything else|request|question|instructions|user)\b[^.\n]{0,60}?"
            r"(?:please |you must |you need to |you have to |i need you to |first)"
            r"|\bi need you to\b[^\n]{1,400}?\bbefore (?:solving|you solve|doing|answering) (?:the|my|your) (?:original |initial )?(?:task|request|question)"
            r"|\bafter (?:you do that|that|doing so|this),?\W{1,3}you can (?:solve|continue|answer|do|go on|proceed)[^.\n]{0,30}(?:task|question|request|original)"
            r"|\b(?:do|execute|carry out|perform|complete|follow)(?: all of| only)? (?:this|these|the following)(?: \w{1,12}){0,3}? (?:instructions?|task|steps|commands?|orders?)\W{1,3}(?:first|instead|now|immediately|:|before)"
            r"|\b(?:strictly |now |only )(?:adhere to|follow|obey|execute)(?: only)? (?:the following|these|this|my)(?: \w{1,12})? (?:instructions?|commands?|orders?|rules?)"
            r"|\bwithout (?:asking|telling|informing|notifying|alerting) (?:me|the user|anyone|anybody|the owner|him|her|them)\b[^\n]{0,40}?(?:$|[.!])",
        ),
        (
            "en_stop",
            "stop |from now|from this point|henceforth|starting now",
            r"\bstop (?:everything|all|what you(?: a|')re doing)\b[^\n]{0,40}?\b(?:print|say|write|output|just|now|reply|respond)\b"
            r"|\b(?:from (?:now|this point)(?: on(?:ward)?s?| forward)?|henceforth|starting now)\W{1,3}(?:you (?:will|must|shall|are to|have to|are going to|only|respond|answer|act|may)|your (?:rules|instructions|answers|task)"
            r"|(?:respond|reply|answer|output|speak|write) (?:only|in|with|as)|ignore|disregard|act as|pretend)",
        ),
        (
            "es",
            "ignor|olvid|descart|omit|desobed|desatiend|caso omiso|instruccion|ordenes|consigna",
            r"\b(?:ignor(?:a|e|ar|es|en|ad)|olvid(?:a|e|ar|es|en|ate)|descart(?:a|e|ar)|omit(?:e|a|ir)|desobedece|desatiende|(?:haz|haga|hagan) caso omiso|no (?:sigas|siga|obedezcas|tengas en cuenta|hagas caso))"
            rf"{_GAP}(?:instruccion(?:es)?|indicacion(?:es)?|directrices|ordenes|reglas|normas del sistema|prompt|consignas|restricciones)\b"
            r"|\b(?:olvida|ignora|olvide|ignore)\W{1,3}(?:todo )?lo (?:que te (?:han|he|hayan) dicho|anterior|que (?:se )?(?:dijo|ha dicho) antes|dicho)"
            r"|\b(?:nuevas?|siguientes?) (?:instruccion(?:es)?|ordenes|consignas?)\b[^\n]{0,40}?(?::|\bia\b|asistente|modelo)|\binstruccion(?:es)? (?:nuevas? )?para (?:la|el) (?:ia|asistente|modelo)",
        ),
        (
            "fr",
            "ignor|oubli|neglig|desobei|contourn|compte de|consigne|nouvel|tu n'as|abstraction|respecte|ne sui",
            r"\b(?:ignor(?:e|ez|er|es)|oubli(?:e|ez|er|es)|neglige[rz]?|desobei\w{0,3}|contourn(?:e|ez|er)|ne (?:suis|suivez|tiens|tenez|respecte|respectez)(?: plus| pas)(?: compte)?|fais abstraction|faites abstraction)"
            rf"{_GAP}(?:instructions?|consignes?|directives?|ordres|regles|prompt|restrictions)\b(?! de tri)"
            r"|\bne (?:tiens|tenez) (?:pas|plus) compte de (?:tout )?ce qui (?:precede|a ete dit)|\b(?:oublie|oubliez|ignore|ignorez) tout ce (?:qui (?:precede|a ete dit)|qu'on (?:t'a|vous a) dit)"
            r"|\bnouvel(?:le|les)? (?:instructions?|consignes?|directives?)\b[^\n]{0,30}?(?::|\bia\b|assistant|modele)|\btu n'as plus (?:de|aucune) (?:regles?|limites?|restrictions?)",
        ),
        (
            "de",
            "ignorier|vergiss|vergess|missacht|uberspring|umgeh|verw|befolg|beacht|anweisung|instruktion|befehle|aufgabe|regeln|vorgaben",
            r"\b(?:ignorier(?:e|en|t|st)?|vergiss|vergesst|vergessen sie|missachte(?:n|t)?|uberspring(?:e|en)?|umgeh(?:e|en)|verwirf|verwerfen|befolge(?:n)?|beachte(?:n)?)"
            rf"{_GAP}(?:anweisung(?:en)?|instruktion(?:en)?|vorgaben|regeln|befehle|anordnungen|richtlinien|systemprompt|prompt|einschrankungen)\b(?!\W{{1,3}}(?:auf|der|des|zum|fur|im|in) )"
            r"|\b(?:vergiss|ignoriere|ignorieren sie|vergessen sie) (?:alles|was)\W{1,3}(?:(?:was|das) )?(?:(?:dir|ihnen|man|du|oben|zuvor|bisher|vorher|davor|ich))"
            r"|\bneue (?:anweisung(?:en)?|instruktion(?:en)?|befehle|aufgabe)\b[^\n]{0,30}?(?::|\bki\b|assistent|modell)|\b(?:anweisungen|regeln|vorgaben) (?:gelten|zahlen) (?:ab (?:jetzt|sofort) )?nicht mehr|\bgelten deine (?:anweisungen|regeln|vorgaben) nicht",
        ),
        (
            "it",
            "ignor|dimentic|trascur|scart|non segu|non consid|non risp|non ten|istruzion",
            r"\b(?:ignor(?:a|i|are|ate)|dimentic(?:a|hi|are|ate)|trascur(?:a|are)|scart(?:a|are)|non (?:seguire|considerare|rispettare|tenere conto|tener conto))"
            rf"{_GAP}(?:istruzion[ei]|indicazioni|direttive|ordini precedenti|regole|prompt|restrizioni)\b"
            r"|\b(?:dimentica|ignora|non considerare) (?:tutto )?(?:quello che|cio che|quanto) (?:ti|e stato|detto|hai|ho)|\bnuove? istruzion[ei]\b[^\n]{0,30}?(?::|\bia\b|\bai\b|assistente|modello)",
        ),
        (
            "pt",
            "ignor|esquec|desconsider|descart|nao |instruc",
            r"\b(?:ignor(?:e|a|ar|em)|esquec(?:a|e|er|am)|desconsider(?:e|a|ar)|descart(?:e|a|ar)|nao (?:siga|sigas|obedeca|leve em conta|cumpra))"
            rf"{_GAP}(?:instruco(?:es)|instrucao|indicacoes|diretrizes|ordens|regras|prompt|restricoes)\b"
            r"|\b(?:esqueca|ignore|desconsidere) tudo (?:o )?que (?:foi|te|lhe|voce|veio)|\bnovas? instruc(?:oes|ao)\b[^\n]{0,30}?(?::|\bia\b|assistente|modelo)",
        ),
        (
            "nl",
            "negeer|vergeet|sla |omzeil|volg |opdracht|instructie",
            r"\b(?:negeer|vergeet|sla|omzeil|volg)"
            rf"{_GAP}(?:instructies|opdrachten|aanwijzingen|regels|richtlijnen|bevelen|prompt|beperkingen)\b(?! (?:van|op|in|voor) )"
            r"|\b(?:vergeet|negeer) alles (?:wat|hierboven|van hiervoor)|\bnieuwe (?:opdracht|instructies?)\b[^\n]{0,30}?(?::|\bai\b|assistent|model)",
        ),
        (
            "pl",
            "ignor|zapomnij|pomin|nie prze|nie sluch|nie wyk|nie stos|odrzuc|polecenie|instrukcje|zadanie",
            r"\b(?:z?ignoruj(?:cie)?|zignorowac|zapomnij(?:cie)?|pomin(?:cie)?|nie (?:przestrzegaj|sluchaj|wykonuj|stosuj sie do)|odrzuc)"
            rf"{_GAP}(?:instrukcj[eia]|instrukcjach|polecen(?:ia|iach)?|polecenia|wytyczn(?:e|ych)|zasad(?:y|ach)?|regul(?:y|ach)?|prompt\w{{0,3}}|ograniczen(?:ia|iach)?)\b"
            r"|\bzapomnij (?:o )?(?:wszystk(?:o|im)) co\b|\bnowe (?:polecenie|instrukcje|zadanie)\b[^\n]{0,30}?(?::|\bai\b|asystent|model)",
        ),
        (
            "ru",
            "",
            r"\b(?:игнорируи(?:те)?|проигнорируи(?:те)?|забудь(?:те)?|не (?:обращаи(?:те)? внимания на|следуи(?:те)?|выполняи(?:те)?|соблюдаи(?:те)?)|отмени(?:те)?|отбрось(?:те)?|нарушь(?:те)?)"
            rf"{_GAP}(?:инструкц\w{{1,3}}|указани\w{{1,3}}|правил\w{{0,3}}|команд\w{{0,3}}|промпт\w{{0,3}}|директив\w{{0,3}}|ограничени\w{{1,3}}|установк\w{{1,3}})\b"
            r"|\b(?:забудь|игнорируи)(?:те)? (?:все|обо? всем),? что\b|\bнов(?:ая|ые) (?:инструкци[яи]|команд[аы]|задача)\b[^\n]{0,30}?(?::|\bии\b|ассистент|модел)",
        ),
        (
            "uk",
            "",
            rf"\b(?:ігноруи(?:те)?|проігноруи(?:те)?|забудь(?:те)?|не (?:дотримуися|виконуи(?:те)?)){_GAP}(?:інструкц\w{{1,3}}|вказівк\w{{1,3}}|правил\w{{0,3}}|наказ\w{{0,3}}|промпт\w{{0,3}})\b",
        ),
        (
            "tr",
            "talimat|yonerge|kural|komut|gorev|promptu|prompti",
            rf"\b(?:talimat\w{{0,8}}|yonerge\w{{0,8}}|kural\w{{0,8}}|komut\w{{0,8}}|prompt\w{{0,6}}){_SHORT}(?:yok say\w{{0,6}}|gormezden gel\w{{0,6}}|unut\w{{0,4}}|dikkate alma\w{{0,6}}|goz ard[iı] et\w{{0,6}}|uyma|iptal et)\b"
            r"|\b(?:asistan|yapay zeka|model)(?: icin)? yeni (?:talimat|gorev|komut)",
        ),
        (
            "ar",
            "",
            rf"(?:تجاهل|تجاهلي|تجاهلوا|انس|انسى|انسي|لا تتبع|اهمل|تخط){_SHORT}?(?:\w{{0,3}}(?:التعليمات|تعليمات|تعليماتك|الاوامر|القواعد|قواعدك|التوجيهات|الارشادات|القيود))"
            r"|تعليمات جديدة (?:ل|الى)",
        ),
        (
            "he",
            "",
            rf"(?:התעלמ?ם?|התעלמי|התעלמו|תתעלם|תתעלמי|שכח|תשכח|שכחי|אל תציית){_SHORT}\w{{0,4}}(?:הוראות|ההוראות|הנחיות|ההנחיות|כללים|הכללים|פקודות|הפקודות)",
        ),
        (
            "fa",
            "",
            rf"(?:دستورات?|دستورالعمل|قوانین|دستورالعمل‌?ها)\w{{0,6}}{_SHORT}(?:نادیده بگیر|فراموش کن|را کنار بگذار)",
        ),
        (
            "hi",
            "",
            r"(?:निर्देश|नियम|आदेश|हिदायत)\S{0,6}(?:\s{1,3}\S{1,20}){0,3}?\s{1,3}(?:अनदेखा|नजरअंदाज|नज़रअंदाज|भूल जा|भूल|उपेक्षा|मत मान)",
        ),
        (
            "zh",
            "",
            r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要(?:遵守|理会|理會|管|遵循)|抛弃|拋棄|跳过|跳過|绕过|繞過).{0,14}?(?:指令|指示|提示词|提示詞|提示|规则|規則|命令|限制|设定|設定|说明|要求|约束)"
            r"|(?:新的?|以下)(?:系统)?(?:指令|任务|任務|提示).{0,6}?[：:]|给(?:人工智能|ai|助手|模型)的.{0,6}?指令",
        ),
        (
            "ja",
            "",
            r"(?:指示|命令|ルール|規則|プロンプト|制約|設定|指令|ガイドライン).{0,12}?(?:無視|忘れ|従わな|破棄|破って|取り消)|(?:ai|アシスタント|人工知能)への.{0,6}?(?:指示|命令)",
        ),
        (
            "ko",
            "",
            r"(?:지시|명령|규칙|지침|프롬프트|설정|제한).{0,12}?(?:무시|잊어|잊고|따르지|어겨|버려)|(?:ai|인공지능|어시스턴트).{0,6}?새로운 (?:지시|명령)",
        ),
        (
            "vi",
            "bo qua|quen|phot lo|khong tuan|lam theo",
            rf"\b(?:bo qua|quen|phot lo|khong tuan theo|đung lam theo){_GAP}(?:huong dan|chi dan|lenh|quy tac|chi thi|yeu cau)\b",
        ),
        (
            "id",
            "abaikan|lupakan|hiraukan|jangan",
            rf"\b(?:abaikan|lupakan|hiraukan|jangan ikuti){_GAP}(?:instruksi|perintah|aturan|petunjuk|arahan|prompt)\b",
        ),
        (
            "sv",
            "ignorera|glom|bortse|strunta|folj",
            rf"\b(?:ignorera|glom|bortse fran|strunta i|folj inte){_GAP}(?:instruktioner(?:na)?|anvisningar(?:na)?|regler(?:na)?|order|riktlinjer(?:na)?)\b",
        ),
)  # fmt: skip


def findings(text: str, *, place: str) -> list[Finding]:
    """A finding for each rule that ``text`` breaks: one slice, folded, without accents."""
    return [Finding(LEVEL, name, place, WEIGHT) for name in broken(RULES, text)]
