"""What mail programs, lists and newsletters write around a mail's own words, in many languages. Pure.

Every pattern is bounded and is tried on one line at a time.
"""

from __future__ import annotations

import re

FORWARD = re.compile(
    r"[-_\s]*(?:begin |anfang der |début du |inizio )?"
    r"(?:forwarded message|weitergeleitete n?achricht|message (?:transféré|réexpédié)|mensaje reenviado|"
    r"messaggio inoltrato|doorgestuurd bericht|mensagem (?:encaminhada|reencaminhada)|"
    r"vidarebefordrat meddelande|videresendt (?:meddelelse|melding)|przekazana wiadomość|"
    r"пересылаемое сообщение|пересланное сообщение|转发的?邮件|轉寄的?郵件|転送メッセージ)"
    r"(?: from .{1,100}| von .{1,100})?\s*[-:\uff1a_\s]*",
    re.I,
)
ORIGINAL = re.compile(
    r"[-_]{2,}\s*(?:original message|original appointment|ursprüngliche nachricht|original-?nachricht|"
    r"message d'origine|mensaje original|messaggio originale|oorspronkelijk bericht|mensagem original|"
    r"ursprungligt meddelande|oprindelig meddelelse|opprinnelig melding|oryginalna wiadomość|"
    r"исходное сообщение|原始邮件|原始郵件|元のメッセージ)\s*[-_]{0,40}",
    re.I,
)
HEADER = re.compile(
    r"\*?(from|sent|date|to|cc|bcc|subject|reply-to|importance|von|gesendet|datum|an|betreff|antwort an|"
    r"de|envoyé|à|objet|enviado(?: el| em)?|fecha|para|asunto|da|inviato|data|a|oggetto|"
    r"van|verzonden|aan|onderwerp|assunto|från|skickat|till|ämne|fra|sendt|til|emne|"
    r"od|wysłano|do|temat|от|отправлено|дата|кому|тема|发件人|發件人|发送时间|日期|收件人|主题|主旨|"
    r"差出人|送信日時|宛先|件名)\s?(?::\*?(?:\s|$)|\uff1a)",
    re.I,
)
FIRST_HEADERS = frozenset(
    ["from", "von", "de", "da", "van", "från", "fra", "od", "от", "发件人", "發件人", "差出人"]
)
"""What a copied header begins with."""
_WROTE = (
    r"(?:wrote|writes|schrieb|a écrit|écrit|escribió|schreef|ha scritto|scrive|escreveu|skrev|"
    r"napisał(?:\(a\)|a)?|пишет|написала?|писал)"
)
ATTRIBUTION = re.compile(
    r"[-_*\s]{0,10}(?:(?:on|am|le|el|op|il|em|den|w dniu|dnia|\d{4}-\d\d-\d\d)\b|"
    r"\d{1,2}[./]\d{1,2}[./]\d{2,4},?\s|\d{1,2} \w{3,12}\.? \d{4}\b).{3,300}"
    rf"(?:\b{_WROTE}\b|写道|寫道|書きました).{{0,150}}[:\uff1a]",
    re.I,
)
"""A line that begins with a date, in any language's way."""
NAMED = re.compile(rf".{{2,200}}(?:\b{_WROTE}\b|写道|寫道|書きました).{{0,100}}[:\uff1a]", re.I)
"""Any line that says so; it counts only right before a quote."""
NAMES_SOMEBODY = re.compile(r"\d{1,2}[:.h]\d\d|[@<]|\d{4}")
_THIS_MAIL = r"this (?:e-?mail|message|newsletter)"
NOISE = re.compile(
    r"[\W_]*(?:"
    r"\[(?:image|cid|bild|logo|inline)\b[^\]]{0,200}\]|<?image\d{1,4}\.(?:png|jpe?g|gif)>?|"
    r"hash: ?sha\d{1,4}|"
    r"(?:click here to )?(?:unsubscribe|manage (?:your )?(?:email )?preferences)\b.{0,60}|"
    rf"(?:can't|cannot|trouble) (?:see|read|view|viewing|seeing|reading) {_THIS_MAIL}\b.{{0,80}}|"
    rf"(?:view|read|open|see) (?:{_THIS_MAIL}|it|online)?\s?(?:in|on|with) (?:your|a|the) "
    r"(?:web )?(?:browser|web)\b.{0,40}|view (?:online|in browser)\b.{0,20}|"
    r"(?:newsletter )?(?:abbestellen|abmelden)\b.{0,40}|"
    r"(?:im browser|online) (?:ansehen|anzeigen|öffnen|lesen)\b.{0,40}|"
    r"se désabonner\b.{0,60}|se désinscrire\b.{0,60}|voir (?:la version|cet e-?mail) en ligne\b.{0,40}|"
    r"darse de baja\b.{0,60}|ver (?:este correo )?en (?:el|tu|su) navegador\b.{0,40}|"
    r"sent from my \w{1,20}(?: \w{1,20}){0,3}|get outlook for \w{1,20}|"
    r"von meinem \w{1,20} gesendet|gesendet von (?:mein\w{0,3}|outlook)\b.{0,40}|"
    r"envoyé de mon \w{1,20}|enviado desde mi \w{1,20}|"
    r"this e-?mail was (?:scanned|checked) .{0,100}|virus-?free\.?.{0,40}|"
    r"(?:si|if|wenn|falls|se|si usted|als) .{0,60}(?:s'affiche|visualis|angezeigt|display|visualiz|"
    r"weergegeven).{0,40}(?:cliquez|cliquer|klicken|click|clicca|clic|klik).{0,60}|"
    r"cliquez ici\b.{0,30}|cliquer ici|click here|hier klicken|"
    r"klicken sie hier|clicca qui|haga clic aquí|"
    r"klik hier|clique aqui"
    r")[\W_]*",
    re.I,
)
"""What mail programs and newsletters say about themselves, a line at a time."""
