"""Faxes: pages counted within bounds, both forms made, nothing hostile gets through."""

from __future__ import annotations

import io
import re
import struct
import threading

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from syncengine.voicemail.fax import MAX_PAGES, Fax, NotFax, page_count, prepare_fax


def tiff(pages: int = 1, *, mode: str = "1", compression: str = "group4") -> bytes:
    """A fax in standard resolution, a black bar at the top of each page."""
    images = []
    for _ in range(pages):
        image = Image.new(mode, (432, 280), "white")
        ImageDraw.Draw(image).rectangle((0, 0, 431, 20), fill="black")
        images.append(image)
    out = io.BytesIO()
    images[0].save(
        out, "TIFF", save_all=True, append_images=images[1:], compression=compression, dpi=(204, 98)
    )
    return out.getvalue()


def directory(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


def header(*directories: bytes) -> bytes:
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directories)


def sized(width: int, length: int) -> tuple[tuple[int, int, int, int], ...]:
    return ((256, 4, 1, width), (257, 4, 1, length))


FAX = tiff(2)
PDF = prepare_fax(FAX).pdf
assert PDF is not None


def test_a_bilevel_tiff_goes_as_it_came_and_as_pdf() -> None:
    """What the fax machine sent is not touched; the PDF shows it in its true proportion."""
    fax = prepare_fax(FAX)

    assert (fax.tiff, fax.pages, fax.note) == (FAX, 2, None)
    assert fax.pdf is not None
    assert page_count(fax.pdf) == 2
    document = pypdfium2.PdfDocument(fax.pdf)
    assert document[1].get_size() == pytest.approx((432 / 204 * 72, 280 / 98 * 72), rel=0.01)
    document.close()


def test_the_same_fax_gives_the_same_files() -> None:
    """A repeated attempt is the same mail."""
    assert prepare_fax(FAX) == prepare_fax(bytes(FAX))
    assert b"Date" not in PDF


def test_nothing_but_the_picture_goes_into_the_bilevel_form() -> None:
    """Profiles and other foreign data of a TIFF that is drawn anew stay behind."""
    out = io.BytesIO()
    Image.new("L", (50, 50)).save(out, "TIFF", icc_profile=b"foreign profile")

    fax = prepare_fax(out.getvalue())

    assert b"foreign" not in (fax.tiff or b"foreign")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_tiff_in_grey_or_colour_becomes_bilevel(mode: str) -> None:
    """`image/tiff; application=faxbw` promises black and white (RFC 3302)."""
    fax = prepare_fax(tiff(3, mode=mode, compression="tiff_lzw"))

    assert fax.tiff is not None
    with Image.open(io.BytesIO(fax.tiff)) as image:
        assert (image.mode, image.info["compression"], image.n_frames) == ("1", "group4", 3)
        assert (image.getpixel((5, 5)), image.getpixel((5, 100))) == (0, 255)


def test_a_pdf_goes_as_it_came_and_as_tiff() -> None:
    """Every page is rendered black on white."""
    fax = prepare_fax(PDF)

    assert (fax.pdf, fax.pages, fax.note) == (PDF, 2, None)
    assert fax.tiff is not None
    assert page_count(fax.tiff) == 2
    with Image.open(io.BytesIO(fax.tiff)) as image:
        image.seek(1)
        assert (image.mode, image.getpixel((5, 5)), image.getpixel((5, 300))) == ("1", 0, 255)


def test_pages_are_counted_in_either_byte_order_and_previews_are_none() -> None:
    """TIFF 6.0: NewSubfileType marks reduced images."""
    preview = directory((254, 4, 1, 1), *sized(10, 10), following=8 + 42)
    page = directory(*sized(10, 10))

    assert page_count(header(preview, page)) == 1
    big = struct.pack(">2sHIHHHIHHHHIHHI", b"MM", 42, 8, 2, 256, 3, 1, 10, 0, 257, 3, 1, 10, 0, 0)
    assert page_count(big) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\0",
        b"hello",
        b"%PDF-1.4\nnothing",
        header(),
        header(directory(*sized(10, 10), following=8)),
        header(directory()),
        header(directory((254, 4, 1, 1), *sized(10, 10))),
        header(directory(*sized(100_000, 100_000))),
        header(directory(*sized(10, 10), *sized(10**5, 10**5))),
        header(directory((256, 4, 2, 8), (257, 4, 1, 10))),
        header(directory(*sized(0, 10))),
        header(b"\xff\xff"),
    ],
)
def test_what_is_no_fax_is_refused_in_one_line(data: bytes) -> None:
    """Circles, bombs, truncation, contradictions."""
    for use in (page_count, prepare_fax):
        with pytest.raises(NotFax) as error:
            use(data)
        assert "\n" not in str(error.value)


def test_too_many_pages_are_refused() -> None:
    """The walk itself is bounded."""
    size = len(directory(*sized(10, 10)))
    pages = [directory(*sized(10, 10), following=8 + size * n) for n in range(1, 3 * MAX_PAGES)]

    assert page_count(header(*pages[: MAX_PAGES - 1], directory(*sized(10, 10)))) == MAX_PAGES
    preview = ((254, 4, 1, 1), *sized(10, 10))
    step = len(directory(*preview))
    previews = [directory(*preview, following=8 + step * n) for n in range(1, 2 * MAX_PAGES + 1)]
    with pytest.raises(NotFax, match="too many"):
        page_count(header(*previews, directory(*sized(10, 10))))
    with pytest.raises(NotFax, match="pages"):
        page_count(header(*pages[:MAX_PAGES], directory(*sized(10, 10))))


def test_a_pdf_page_of_absurd_shape_is_drawn_small() -> None:
    """A page of 14,000 points by a hair is within the points of a page, not within the side of one."""
    thin = re.sub(rb"/MediaBox \[ [^]]*\]", b"/MediaBox [ 0 0 14000 0.1 ]", PDF)
    assert thin != PDF

    fax = prepare_fax(thin)

    assert fax.tiff is not None
    with Image.open(io.BytesIO(fax.tiff)) as image:
        assert max(image.size) <= 20_000


def test_a_tiff_that_cannot_be_drawn_goes_alone_with_a_note() -> None:
    """The subscriber gets what came; the note says what is missing."""
    data = header(directory(*sized(10, 10)))

    fax = prepare_fax(data)

    assert (fax.tiff, fax.pdf, fax.pages) == (data, None, 1)
    assert fax.note is not None
    assert "\n" not in fax.note


def test_two_threads_may_prepare_faxes() -> None:
    """PDFium itself allows only one."""
    results: list[Fax] = []
    threads = [threading.Thread(target=lambda: results.append(prepare_fax(PDF))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [fax.pages for fax in results] == [2] * 4


def _harmed(good: bytes) -> st.SearchStrategy[bytes]:
    """Strategy: a good file with some octets changed, or cut off."""
    change = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255))

    def apply(changes: list[tuple[int, int]], cut: int) -> bytes:
        data = bytearray(good)
        for place, octet in changes:
            data[place] = octet
        return bytes(data[:cut])

    return st.builds(apply, st.lists(change, max_size=8), st.integers(len(good) // 2, len(good)))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of what it reads half
@given(data=st.binary(max_size=400).map(lambda b: b"II*\0" + b) | _harmed(FAX) | _harmed(PDF))
def test_no_damaged_fax_raises_anything_else(data: bytes) -> None:
    """A fax comes from anybody's machine."""
    try:
        fax = prepare_fax(data)
    except NotFax as error:
        assert "\n" not in str(error)
    else:
        assert 1 <= fax.pages <= MAX_PAGES
        assert fax.tiff or fax.pdf
