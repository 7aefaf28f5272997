"""HTML as the lines a person would see. Pure; never raises, whatever the markup.

The tree is only walked, never changed, and the walk does not recurse: depth and damage of a stranger's
markup cost nothing but time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode


def _named(tags: str) -> frozenset[str]:
    return frozenset(tags.split())


_NOT_TEXT = _named(
    "head style script template title noscript svg math object embed iframe video audio canvas map select "
    "textarea datalist button input"
)
_BLOCKS = _named(
    "address article aside blockquote body br center dd details div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section table tbody tfoot thead tr ul"
)
_CELLS = frozenset({"td", "th"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})

_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|max-height\s*:\s*0(?![.\d]*[1-9])", re.I
)
"""How newsletters hide their preview text and paddings."""

_QUOTES = frozenset({"gmail_quote", "yahoo_quoted", "protonmail_quote", "tutanota_quote"})
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>")
_CLOSED_BY_THEMSELVES = _named(
    "area base br col embed hr img input link meta param source track wbr p li dt dd td th tr option"
)
_MAX_OPEN = 3000
"""The parser's time grows with the square of the depth; 26,000 open elements cost it a second."""

_BREAK = "\ue000"
_QUOTE = "\ue001"
_UNQUOTE = "\ue002"
_MARKS = re.compile("[\ue000-\ue002]")
_ENOUGH = 20
_MAX_ALT = 200
_MAX_DEPTH = 10


def lines(html: str) -> str:
    """Return the visible text, a line for each block; quoted blocks get ``> `` before their lines.

    Pictures are left out, unless there is hardly any text: then their alternative texts are taken.
    """
    if _too_deep(html):
        return "\n".join(line for line in _TAG.sub("\n", html).splitlines() if line.strip())
    seen = _rendered(html, pictures=False)
    if len("".join(seen.split())) >= _ENOUGH:
        return seen
    return _rendered(html, pictures=True)


def _too_deep(html: str) -> bool:
    depth = 0
    for tag in _TAG.finditer(html):
        if tag[1]:
            depth = max(depth - 1, 0)
        elif tag[2].lower() not in _CLOSED_BY_THEMSELVES:
            depth += 1
            if depth > _MAX_OPEN:
                return True
    return False


def _rendered(html: str, *, pictures: bool) -> str:
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - an optional library

    root = LexborHTMLParser(html).root
    pieces = "" if root is None else "".join(_pieces(root, pictures=pictures))
    out: list[str] = []
    depth = 0
    # White space of the source means nothing, the marks mean everything.
    for piece in re.split("([\ue000-\ue002])", " ".join(pieces.split())):
        match piece:
            case "\ue001":
                depth = min(depth + 1, _MAX_DEPTH)
            case "\ue002":
                depth = max(depth - 1, 0)
            case _ if piece.strip() and piece != _BREAK:
                out.append("> " * depth + piece.strip())
    return "\n".join(out)


def _pieces(root: LexborNode, *, pictures: bool) -> Iterator[str]:
    """Yield texts and marks in the order of the document."""
    node: LexborNode | None = root
    while node is not None:
        yield from _opened(node, pictures=pictures)
        below = None if _skipped(node) else node.first_child
        while below is None:
            yield from _closed(node)
            if node.mem_id == root.mem_id:
                return
            below = node.next
            if below is None:
                parent = node.parent
                if parent is None:
                    return
                node = parent
        node = below


def _opened(node: LexborNode, *, pictures: bool) -> Iterator[str]:
    tag = node.tag
    if tag == "-text":
        yield _MARKS.sub(" ", node.text_content or "").replace("\n", _BREAK if _preformatted(node) else "\n")
    elif _skipped(node):
        if pictures and tag == "img":
            yield f" {_MARKS.sub(' ', node.attributes.get('alt') or '')[:_MAX_ALT]} "
    elif tag in _BLOCKS:
        yield _QUOTE if _quotes(node) else _BREAK
    elif tag in _CELLS:
        yield " "


def _closed(node: LexborNode) -> Iterator[str]:
    if _skipped(node):
        return
    if node.tag in _BLOCKS:
        yield _UNQUOTE if _quotes(node) else _BREAK
    elif node.tag in _CELLS:
        yield " "


def _skipped(node: LexborNode) -> bool:
    tag = node.tag or ""
    if tag == "img" or tag in _NOT_TEXT or tag == "_comment":
        return True
    if tag.startswith("-"):
        return False
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDDEN.search((attributes.get("style") or "")[:2000]))


def _quotes(node: LexborNode) -> bool:
    """Whether a block is what a mail program quotes a mail with, and not somebody's indentation."""
    if node.tag != "blockquote":
        return False
    attributes = node.attributes
    classes = (attributes.get("class") or "").split()
    return attributes.get("type") == "cite" or "cite" in attributes or not _QUOTES.isdisjoint(classes)


def _preformatted(node: LexborNode) -> bool:
    return node.parent is not None and node.parent.tag == "pre"
