"""Faxes: how many pages, and both forms in which they go out (bilevel TIFF, PDF).

Pages are counted in the file's own directory before any library sees it; size and number of pages are
bounded there, so that a small file cannot unfold into gigabytes. What cannot be converted goes in the
one form it came in.
"""

from __future__ import annotations

import io
import math
import struct
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from syncengine.errors import SyncError

if TYPE_CHECKING:
    from PIL import Image

MAX_INPUT = 200 * 1024 * 1024
MAX_PAGES = 500
MAX_PIXELS = 50_000_000
"""Of one page: A3 at 400 dpi, the finest a fax machine sends (ITU-T T.30), has 31 million."""

_DPI = 200  # square, and allowed in a bilevel fax TIFF (RFC 3949, profile F)
_MAX_SIDE = 20_000
_MAX_ENTRIES = 4096
_SUBFILE, _WIDTH, _LENGTH = 254, 256, 257
_REDUCED, _MASK = 1, 4
_ENTRY = {3: "H", 4: "I"}

# What Pillow raises on files that are not what their directory says, or where it is not installed.
_UNREADABLE = (
    *(ImportError, OSError, ValueError, TypeError, SyntaxError, LookupError),
    *(ArithmeticError, EOFError, RuntimeError, AttributeError, struct.error),
)

# PDFium must not be called from two threads at a time.
_pdfium = threading.Lock()


class NotFax(SyncError):
    """A file that is no fax: neither TIFF nor PDF, or one beyond the bounds; the text says why."""


@dataclass(frozen=True, slots=True)
class Fax:
    """A fax as it goes out; one of the forms is None where the libraries to make it are missing."""

    tiff: bytes | None = field(repr=False)
    pdf: bytes | None = field(repr=False)
    pages: int
    note: str | None = None
    """Why a form is missing."""


def page_count(data: bytes) -> int:
    """Count the pages of a TIFF or PDF; raises :class:`NotFax`."""
    if len(data) > MAX_INPUT:
        raise NotFax(f"the fax is larger than {MAX_INPUT // 2**20} MB")
    if data[:4] in {b"II*\0", b"MM\0*"}:
        return _tiff_pages(data)
    if b"%PDF-" in data[:1024]:
        return _pdf_pages(data)
    raise NotFax("the fax is neither TIFF nor PDF")


def prepare_fax(data: bytes) -> Fax:
    """Bring a TIFF or PDF into both forms: bilevel G4 TIFF and PDF; raises :class:`NotFax`.

    A TIFF that is bilevel already goes as it came; so does every PDF.
    """
    pages = page_count(data)
    came_as_pdf = data[:4] not in {b"II*\0", b"MM\0*"}
    try:
        if came_as_pdf:
            with closing(_rendered(data)) as images:
                return Fax(_bilevel(images, (_DPI, _DPI)), data, pages)
        return Fax(*_from_tiff(data), pages)
    except _UNREADABLE as error:
        reason = str(error).split("\n")[0][:200] or type(error).__name__
        note = f"the fax is sent as {'PDF' if came_as_pdf else 'TIFF'} only: {reason}"
        return Fax(None, data, pages, note) if came_as_pdf else Fax(data, None, pages, note)


def _tiff_pages(data: bytes) -> int:
    """Walk the directories of a TIFF (TIFF 6.0 section 2), each once."""
    order: Literal["<", ">"] = "<" if data[:2] == b"II" else ">"
    pages, seen = 0, set[int]()
    try:
        (offset,) = struct.unpack_from(f"{order}I", data, 4)
        while offset:
            if offset in seen or len(seen) >= 2 * MAX_PAGES:
                raise NotFax("the TIFF's pages go round in circles, or are too many")
            seen.add(offset)
            entries, offset = _directory(data, offset, order)
            pages += _is_page(entries)
    except struct.error:
        raise NotFax("the TIFF ends before its last page") from None
    if not 1 <= pages <= MAX_PAGES:
        raise NotFax(f"a fax of {pages} pages is not taken; 1 to {MAX_PAGES} are")
    return pages


def _directory(data: bytes, offset: int, order: Literal["<", ">"]) -> tuple[dict[int, int], int]:
    """Return the tags of one directory that matter here, and the offset of the next."""
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    if count > _MAX_ENTRIES:
        raise NotFax("the TIFF has too many tags")
    entries: dict[int, int] = {}
    for start in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, start)
        if tag in entries:  # readers differ in which one counts
            raise NotFax("the TIFF says a page's size twice")
        if tag in {_SUBFILE, _WIDTH, _LENGTH} and kind in _ENTRY and values == 1:
            (entries[tag],) = struct.unpack_from(order + _ENTRY[kind], data, start + 8)
    (following,) = struct.unpack_from(f"{order}I", data, offset + 2 + 12 * count)
    return entries, following


def _is_page(entries: dict[int, int]) -> bool:
    _check_size(entries.get(_WIDTH, 0), entries.get(_LENGTH, 0))
    return not entries.get(_SUBFILE, 0) & (_REDUCED | _MASK)  # previews and masks are no pages


def _check_size(width: int, height: int) -> None:
    if width <= 0 or height <= 0 or width * height > MAX_PIXELS:
        raise NotFax(f"a page of {width} x {height} points is not taken")


def _pdf_pages(data: bytes) -> int:
    try:
        import pypdfium2  # noqa: PLC0415 - an optional library, and slow to load
    except (ImportError, OSError):
        raise NotFax("a PDF needs the 'media' extra: voicemail-syncengine[media]") from None
    with _pdfium:
        try:
            document = pypdfium2.PdfDocument(data)
        except (pypdfium2.PdfiumError, ValueError) as error:
            raise NotFax(f"the PDF cannot be read: {str(error)[:200]}") from None
        try:
            pages = len(document)
        finally:
            document.close()
    if not 1 <= pages <= MAX_PAGES:
        raise NotFax(f"a fax of {pages} pages is not taken; 1 to {MAX_PAGES} are")
    return pages


def _rendered(data: bytes) -> Generator[Image.Image, None, None]:
    """Yield the pages of a PDF in black and white, no larger than :data:`MAX_PIXELS`."""
    import pypdfium2  # noqa: PLC0415 - an optional library, and slow to load
    from PIL import Image  # noqa: PLC0415 - an optional library, and slow to load

    with _pdfium:
        document = pypdfium2.PdfDocument(data)
        try:
            for page in document:
                width, height = page.get_size()  # in 1/72 inch
                scale = min(
                    _DPI / 72, _MAX_SIDE / max(width, height), math.sqrt(MAX_PIXELS / (width * height))
                )
                bitmap = page.render(scale=scale, grayscale=True)
                yield bitmap.to_pil().convert("1", dither=Image.Dither.NONE)
                bitmap.close()
                page.close()
        finally:
            document.close()


def _from_tiff(data: bytes) -> tuple[bytes, bytes]:
    """Return both forms of a TIFF. The PDF is made of its pages alone: a wrong tag does not cost it."""
    with _open_tiff(data) as image:
        resolution = _resolution(image)
        modes: set[str] = set()
        clean = _bilevel(_frames(image, modes), resolution)
    with _open_tiff(clean) as image:
        out = io.BytesIO()
        # Without dates the same fax gives the same file.
        image.save(out, format="PDF", save_all=True, dpi=resolution, creationDate=None, modDate=None)
    return (data if modes == {"1"} else clean), out.getvalue()


def _frames(image: Image.Image, modes: set[str]) -> Iterator[Image.Image]:
    """Yield the pages in black and white; ``modes`` collects what they were."""
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        modes.add(image.mode)
        yield image.convert("1")


def _bilevel(pages: Iterator[Image.Image], resolution: tuple[float, float]) -> bytes:
    """Write black-and-white pages as a G4 TIFF (ITU-T T.6), one page in memory at a time."""
    from PIL import TiffImagePlugin  # noqa: PLC0415 - an optional library, and slow to load

    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out) as writer:
        for page in pages:
            page.info.clear()  # profiles and other foreign data
            page.save(writer, format="TIFF", compression="group4", dpi=resolution)
            writer.newFrame()
    return out.getvalue()


def _open_tiff(data: bytes) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - an optional library, and slow to load

    return Image.open(io.BytesIO(data), formats=["TIFF"])


def _resolution(image: Image.Image) -> tuple[float, float]:
    """Return dots per inch across and down; a standard fax has 204 x 98 (ITU-T T.4)."""
    across, down = image.info.get("dpi") or (0, 0)
    usable = 50 <= across <= 1200 and 50 <= down <= 1200
    return (float(across), float(down)) if usable else (204.0, 196.0)
