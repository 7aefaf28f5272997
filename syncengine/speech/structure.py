"""Which parts of a message to read aloud, and which are attachments. Pure.

Never raises: what is not understood is an attachment, what is too deep or too much is not looked at.
Only the parts named here are ever fetched, so that an attachment's size does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from syncengine.speech.mail import Sealed, Structure, TextPart

MAX_DEPTH = 30
MAX_PARTS = 500
MAX_TEXTS = 5
"""Text parts of one mail that are read: some programs break the text around each picture."""

_MAX_ATTACHMENTS = 200
_HARDLY_ANY = 40
"""Octets below which a plain alternative says nothing, or that the program cannot show HTML."""


@dataclass(frozen=True, slots=True)
class Part:
    """One body part, whoever described it."""

    section: str
    main: str
    sub: str
    parameters: dict[str, str] = field(default_factory=dict)
    disposition: str = ""
    filename: str = ""
    encoding: str = ""
    size: int = 0
    children: tuple[Part, ...] = ()
    data: bytes = b""
    """The part's octets, where the message is at hand."""


class Budget:
    """How many parts may still be looked at."""

    def __init__(self) -> None:
        self.left = MAX_PARTS

    def spend(self, section: str) -> bool:
        """Whether the part with this number may be looked at as well."""
        self.left -= 1
        return self.left >= 0 and section.count(".") < MAX_DEPTH


def choose(root: Part) -> Structure:
    """Choose what to read, and count the rest."""
    sealed = _sealed(root)
    if sealed is not None:
        return Structure(sealed=sealed)
    texts: list[Part] = []
    attachments: list[str] = []
    _sort(root, texts, attachments)
    return Structure(
        texts=tuple(_text_part(part) for part in texts[:MAX_TEXTS]),
        attachments=tuple(attachments[:_MAX_ATTACHMENTS]),
        sealed=_inner_seal(root) if not texts else None,
    )


def _sealed(part: Part) -> Sealed | None:
    if (part.main, part.sub) == ("multipart", "encrypted"):
        return Sealed.PGP
    named = part.main == "application" and part.filename.lower().endswith(".p7m")
    if named or (part.main == "application" and part.sub in ("pkcs7-mime", "x-pkcs7-mime")):
        # RFC 8551 section 3.2.2; without the parameter it is nearly always enveloped. Gateways that do not
        # know the type leave its name (section 3.2.1).
        signed = part.parameters.get("smime-type", "").lower() == "signed-data"
        return Sealed.SMIME_SIGNED if signed else Sealed.SMIME
    return None


def _inner_seal(part: Part) -> Sealed | None:
    """What hides the text when a gateway wrapped a sealed message in a multipart."""
    seals = [_sealed(part)] + [_inner_seal(child) for child in part.children]
    return next((seal for seal in seals if seal is not None), None)


def _sort(part: Part, texts: list[Part], attachments: list[str]) -> None:
    if part.main == "multipart":
        _sort_children(part, texts, attachments)
    elif _readable(part):
        texts.append(part)
    elif not _invisible(part):
        attachments.append(part.filename)


def _sort_children(part: Part, texts: list[Part], attachments: list[str]) -> None:
    children: Sequence[Part] = part.children
    match part.sub:
        case "alternative":
            chosen = _alternative(children)
            if chosen is not None:
                _sort(chosen, texts, attachments)
                for other in children:
                    if other is not chosen and other.main == "multipart":
                        _sort(other, [], attachments)
            return
        case "related":
            # Beside the first part stand its pictures (RFC 2387): what is seen, not what is attached.
            for child in children:
                if child is children[0] or child.disposition == "attachment":
                    _sort(child, texts, attachments)
        case "signed" | "report":
            for child in children[:1]:  # RFC 1847: the signed part; RFC 6522: the part for people
                _sort(child, texts, attachments)
        case _:
            for child in children:
                _sort(child, texts, attachments)


def _alternative(children: Sequence[Part]) -> Part | None:
    """The plain text, else what holds HTML, else whatever can be read."""
    plain = [part for part in children if _readable(part) and part.sub != "html"]
    rich = [part for part in children if _holds_text(part) and part not in plain]
    if plain and (plain[0].size >= _HARDLY_ANY or not rich):
        return plain[0]
    return rich[-1] if rich else next(iter(children), None)


def _holds_text(part: Part) -> bool:
    return _readable(part) or any(_holds_text(child) for child in part.children)


def _readable(part: Part) -> bool:
    return (
        part.main == "text"
        and part.sub in ("plain", "html", "markdown", "enriched", "")
        and part.disposition != "attachment"
        and not part.filename
    )


def _invisible(part: Part) -> bool:
    """What a person would not call an attachment: signatures, keys, a picture inside the text."""
    if part.main == "application" and part.sub in ("pgp-signature", "pkcs7-signature", "x-pkcs7-signature"):
        return True
    return part.main == "image" and part.disposition == "inline" and not part.filename


def _text_part(part: Part) -> TextPart:
    return TextPart(
        section=part.section or "1",
        html=part.sub == "html",
        charset=part.parameters.get("charset", "")[:60],
        encoding=part.encoding.lower(),
        flowed=part.parameters.get("format", "").lower() == "flowed",
        delsp=part.parameters.get("delsp", "").lower() == "yes",
        size=part.size,
    )
