"""What each folder means to a mailbox, from names and attributes alone. Pure.

Special-use attributes decide before names, and what lies below Trash, Junk, Sent or Drafts is what
its parent is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from syncengine.model import Folder, Role

VOICE_FOLDER = "Voice Mail Messages"
"""The folder of sync mode voice-mail-folder (manual page 6)."""

_ATTRIBUTES = {
    "\\trash": Role.TRASH,
    "\\junk": Role.JUNK,
    "\\spam": Role.JUNK,
    "\\sent": Role.SENT,
    "\\drafts": Role.DRAFTS,
    "\\all": Role.ALL,
    "\\allmail": Role.ALL,
}
"""RFC 6154, and what Gmail's XLIST calls two of them; compared in lower case (Cyrus: ``\\sent``)."""

_NAMES = {
    Role.TRASH: (
        "trash", "deleted items", "deleted messages", "deleted", "bin",
        "papierkorb", "gelöschte elemente", "gelöschte objekte", "gelöscht",
        "corbeille", "éléments supprimés", "messages supprimés",
        "papelera", "elementos eliminados", "cestino", "posta eliminata", "elementi eliminati",
        "prullenbak", "verwijderde items", "lixeira", "itens excluídos", "papperskorg", "borttagna objekt",
        "papirkurv", "slettet post", "slettede elementer", "roskakori", "poistetut", "kosz",
        "elementy usunięte", "koš", "odstraněná pošta", "lomtár", "törölt elemek", "корзина", "удаленные",
        "удалённые", "çöp kutusu", "silinmiş öğeler", "ゴミ箱", "削除済みアイテム", "已删除邮件", "已删除",
    ),
    Role.JUNK: (
        "junk", "spam", "junk e-mail", "junk email", "junk-e-mail", "bulk mail", "bulk",
        "spamverdacht", "unerwünscht", "courrier indésirable", "pourriel", "indésirables",
        "correo no deseado", "correo basura", "posta indesiderata", "ongewenste e-mail", "ongewenst",
        "lixo eletrônico", "lixo eletrónico", "skräppost", "søppelpost", "uønsket e-mail", "uønsket mail",
        "roskaposti", "wiadomości-śmieci", "nevyžádaná pošta", "levélszemét", "спам", "нежелательная почта",
        "önemsiz e-posta", "迷惑メール", "垃圾邮件",
    ),
    Role.SENT: (
        "sent", "sent items", "sent messages", "sent mail", "sent-mail", "gesendet", "gesendete elemente",
        "gesendete objekte", "postausgang", "éléments envoyés", "messages envoyés", "envoyés",
        "enviados", "elementos enviados", "itens enviados", "inviata", "posta inviata", "inviati",
        "verzonden", "verzonden items", "skickat", "skickade objekt", "sendte elementer", "sendt",
        "sendt post", "lähetetyt", "wysłane", "elementy wysłane", "odeslané", "odeslaná pošta",
        "elküldött", "elküldött elemek", "отправленные", "gönderilmiş öğeler", "送信済み", "送信済みアイテム",
        "已发送邮件", "已发送",
    ),
    Role.DRAFTS: (
        "drafts", "draft", "entwürfe", "brouillons", "borradores", "bozze", "concepten", "rascunhos",
        "utkast", "kladder", "kladde", "luonnokset", "wersje robocze", "szkice", "koncepty", "piszkozatok",
        "черновики", "taslaklar", "下書き", "草稿", "草稿箱",
    ),
}  # fmt: skip
_BY_NAME = {name: role for role, names in _NAMES.items() for name in names}


def roles(
    folders: Collection[Folder],
    mode: str,
    *,
    listed_only_subscribed: bool = True,
    kept: Collection[str] = (),
) -> Mapping[str, Role]:
    """The role of every selectable folder in a sync mode (manual page 6).

    ``mode`` is ``all-folders``, ``inbox``, ``voice-mail-folder`` or ``none``; all folders are the
    subscribed ones, or every listed one without ``listed_only_subscribed``. In mode
    voice-mail-folder INBOX counts, too: what arrived there unfiled can be read and deleted there.
    ``kept`` are folders that hold our messages under a new name: they stay in scope.
    """
    tree = _Tree(folders)
    voice = voice_folder(folders)
    found = {}
    for folder in folders:
        if not folder.selectable:
            continue
        fixed = tree.special(folder)
        always = folder.name == "INBOX" or folder is voice
        if fixed is not None and not always:
            found[folder.name] = fixed
        else:
            stays = always or folder.name in kept
            inside = _inside(mode, folder, stays=stays, taken=folder.subscribed or not listed_only_subscribed)
            found[folder.name] = Role.LIVE if inside else Role.OUTSIDE
    return found


def _inside(mode: str, folder: Folder, *, stays: bool, taken: bool) -> bool:
    match mode:
        case "all-folders":
            return stays or taken
        case "inbox":
            return folder.name == "INBOX"
        case "voice-mail-folder":
            return stays
        case _:
            return False


def voice_folder(folders: Collection[Folder]) -> Folder | None:
    """The folder for voice mail in any case, at the top or right below INBOX or a namespace's prefix."""
    tree = _Tree(folders)
    wanted = VOICE_FOLDER.casefold()
    fitting = [
        folder
        for folder in folders
        if folder.selectable
        and _attributed(folder) is None
        and tree.leaf(folder).casefold() == wanted
        and tree.at_top(folder)
    ]
    return min(fitting, key=lambda f: (len(f.name), f.name != VOICE_FOLDER, f.name), default=None)


def trash_folder(folders: Collection[Folder]) -> Folder | None:
    """Where deleted mail goes: the one with ``\\Trash``, else the one with the most usual name."""
    tree = _Tree(folders)
    marked = [f for f in folders if f.selectable and _attributed(f) is Role.TRASH]
    if marked:
        return min(marked, key=lambda folder: (len(folder.name), folder.name))
    order = _NAMES[Role.TRASH]
    named = [f for f in folders if f.selectable and tree.named(f) is Role.TRASH]
    return min(named, key=lambda f: (order.index(tree.leaf(f).casefold()), len(f.name), f.name), default=None)


class _Tree:
    """Folders by name, and what their names say."""

    def __init__(self, folders: Collection[Folder]) -> None:
        self.by_name = {folder.name: folder for folder in folders}

    def special(self, folder: Folder) -> Role | None:
        """What the folder is by itself, or what the nearest of its ancestors is."""
        own = _attributed(folder) or self.named(folder)
        if own is not None or folder.name == "INBOX":
            return own
        name, mark = folder.name, folder.delimiter
        while mark and mark in name:
            name = name.rpartition(mark)[0]
            above = self.by_name.get(name)
            role = (_attributed(above) or self.named(above)) if above else None
            if role is not None and role is not Role.ALL:
                return role
        return None

    def named(self, folder: Folder) -> Role | None:
        """What the folder is by its name; "Work/Sent" is somebody's own."""
        role = _BY_NAME.get(self.leaf(folder).casefold())
        return role if role and folder.name != "INBOX" and self.at_top(folder) else None

    def at_top(self, folder: Folder) -> bool:
        """Whether it is at the top, below INBOX, or below what holds no messages (``[Gmail]``)."""
        parent = folder.name.rpartition(folder.delimiter)[0] if folder.delimiter else ""
        above = self.by_name.get(parent)
        return not parent or parent == "INBOX" or (above is not None and not above.selectable)

    @staticmethod
    def leaf(folder: Folder) -> str:
        """The last part of the name."""
        return folder.name.rpartition(folder.delimiter)[2] if folder.delimiter else folder.name


def _attributed(folder: Folder) -> Role | None:
    return next((role for attribute, role in _ATTRIBUTES.items() if attribute in folder.attributes), None)
