"""Which parts of a mail are fetched to be read aloud."""

from __future__ import annotations

import email.policy
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.imap.tokens import tokenize
from syncengine.speech import reader
from syncengine.speech.body import MAX_OCTETS
from syncengine.speech.bodystructure import of_bodystructure
from syncengine.speech.mail import Envelope, Mail, Sealed, Structure, Text, TextPart
from syncengine.speech.message import envelope_of_header, of_message
from syncengine.speech.structure import MAX_TEXTS

PLAIN = '("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 400 9 NIL NIL NIL NIL)'
TINY = '("text" "plain" NIL NIL NIL "7bit" 2 1 NIL NIL NIL NIL)'
HTML = '("text" "html" ("charset" "utf-8") NIL NIL "base64" 3000 40 NIL NIL NIL NIL)'
PDF = (
    '("application" "pdf" ("name" "a.pdf") NIL NIL "base64" 31457280 NIL '
    '("attachment" ("filename" "=?utf-8?q?=C3=84.pdf?=")) NIL NIL)'
)
PICTURE = '("image" "png" NIL "<x@y>" NIL "base64" 900 NIL ("inline" NIL) NIL NIL)'
MAIL = '("message" "rfc822" NIL NIL NIL "7bit" 300 (NIL NIL) ("text" "plain" NIL NIL NIL "7bit" 9 1) 5)'


def read(structure: str) -> Structure:
    return of_bodystructure(tokenize([structure.encode()])[0])


def sections(structure: str) -> list[str]:
    return [part.section for part in read(structure).texts]


def multipart(subtype: str, *parts: str) -> str:
    return f'({"".join(parts)} "{subtype}" ("boundary" "x") NIL NIL NIL)'


class TestBodystructure:
    def test_a_single_text_is_part_one(self):
        single = '("TEXT" "PLAIN" ("CHARSET" "utf-8" "FORMAT" "Flowed" "DelSp" "YES") NIL NIL "7BIT" 120 4)'
        part = TextPart("1", charset="utf-8", encoding="7bit", flowed=True, delsp=True, size=120)
        assert read(single) == Structure((part,))

    @pytest.mark.parametrize(
        ("structure", "wanted"),
        [
            (multipart("alternative", PLAIN, HTML), ["1"]),
            (multipart("alternative", HTML, PLAIN), ["2"]),
            (multipart("alternative", TINY, HTML), ["2"]),
            (multipart("alternative", TINY), ["1"]),
            (multipart("mixed", multipart("alternative", PLAIN, HTML), PDF), ["1.1"]),
            (multipart("alternative", TINY, multipart("related", HTML, PICTURE)), ["2.1"]),
            (multipart("signed", PLAIN, PDF), ["1"]),
            (multipart("report", PLAIN, MAIL), ["1"]),
            (multipart("mixed", PDF, PLAIN), ["2"]),
            (multipart("mixed", MAIL), []),
            (PDF, []),
        ],
    )
    def test_the_plain_text_is_wanted_else_the_html(self, structure: str, wanted: list[str]):
        assert sections(structure) == wanted

    def test_attachments_are_named_and_never_read(self):
        found = read(multipart("mixed", PLAIN, PDF, MAIL, PICTURE))
        assert found.attachments == ("Ä.pdf", "")

    def test_a_text_file_is_an_attachment(self):
        file = '("text" "plain" ("name" "a.txt") NIL NIL "7bit" 400 9 NIL NIL NIL NIL)'
        sent = '("text" "plain" NIL NIL NIL "7bit" 400 9 NIL ("attachment" NIL) NIL NIL)'
        found = read(multipart("mixed", file, sent, PLAIN))
        assert [part.section for part in found.texts] == ["3"]
        assert found.attachments == ("a.txt", "")

    def test_a_name_in_pieces_is_put_together(self):
        pieces = '("attachment" ("filename*0*" "utf-8\'\'%C3%9Cber" "filename*1*" "sicht.pdf"))'
        file = f'("application" "pdf" NIL NIL NIL "base64" 9 NIL {pieces} NIL NIL)'
        assert read(file).attachments == ("Übersicht.pdf",)

    def test_texts_around_pictures_are_all_read_within_bounds(self):
        assert sections(multipart("mixed", PLAIN, PDF, PLAIN)) == ["1", "3"]
        assert len(sections(multipart("mixed", *[PLAIN] * 50))) == MAX_TEXTS

    @pytest.mark.parametrize(
        ("structure", "sealed"),
        [
            (multipart("encrypted", PDF, PDF), Sealed.PGP),
            ('("application" "pkcs7-mime" ("smime-type" "enveloped-data") NIL NIL "base64" 9)', Sealed.SMIME),
            ('("application" "x-pkcs7-mime" NIL NIL NIL "base64" 9)', Sealed.SMIME),
            ('("application" "octet-stream" ("name" "smime.P7M") NIL NIL "base64" 9)', Sealed.SMIME),
            (
                '("application" "pkcs7-mime" ("smime-type" "signed-data") NIL NIL "base64" 9)',
                Sealed.SMIME_SIGNED,
            ),
            (multipart("mixed", multipart("encrypted", PDF, PDF)), Sealed.PGP),
            (multipart("mixed", PLAIN, multipart("encrypted", PDF, PDF)), None),
        ],
    )
    def test_a_sealed_message_is_known_before_anything_is_fetched(
        self, structure: str, sealed: Sealed | None
    ):
        assert read(structure).sealed is sealed

    @pytest.mark.parametrize(
        "structure", ["NIL", "()", "(NIL)", '("text")', "(((())))", '("text" NIL "x" 3)', "(1 2 3)"]
    )
    def test_nonsense_is_survived(self, structure: str):
        assert len(read(structure).texts) <= 1

    def test_depth_and_number_are_bounded(self):
        deep = "(" * 60 + PLAIN + ' "mixed")' * 60
        assert read(deep) == Structure()
        wide = multipart("mixed", *[PDF] * 5000)
        assert len(read(wide).attachments) <= 500

    node = st.recursive(
        st.none()
        | st.binary(max_size=20)
        | st.integers()
        | st.sampled_from([b"text", b"multipart", b"message"]),
        lambda inner: st.lists(inner, max_size=12),
        max_leaves=60,
    )

    @settings(deadline=None)
    @given(node)
    def test_no_structure_raises(self, structure: object):
        found = of_bodystructure(structure)  # type: ignore[arg-type]
        assert len(found.texts) <= MAX_TEXTS


def composed(change: Callable[[EmailMessage], object] = lambda message: None) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = "Jürgen Öl <j@example.com>"
    message["Subject"] = "Grüße"
    message["Date"] = "Tue, 24 Nov 2026 10:15:00 +0100"
    message.set_content("Guten Tag, hier ist Jürgen, ich melde mich wegen des Angebots.\n")
    change(message)
    return message.as_bytes()


class TestMessage:
    def test_a_message_fetched_whole_is_read_like_one_fetched_in_parts(self):
        def change(message: EmailMessage) -> None:
            message.add_alternative("<p>HTML</p>", subtype="html")
            message.add_attachment(b"x", maintype="application", subtype="pdf", filename="Ü.pdf")

        mail = of_message(composed(change))
        assert mail.envelope == Envelope(
            "Jürgen Öl", "j@example.com", "Grüße", datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
        )
        assert [text.data.decode(text.charset) for text in mail.texts] == [
            "Guten Tag, hier ist Jürgen, ich melde mich wegen des Angebots.\r\n"
        ]
        assert mail.attachments == ("Ü.pdf",)

    def test_its_first_lines_are_enough(self):
        raw = composed()
        assert of_message(raw[: raw.index(b"\r\n\r\n") + 14]).texts[0].data

    @pytest.mark.parametrize(
        "raw",
        [b"", b"\r\n", b"\0" * 100, b"From: x", b"Subject: =?x", b"Content-Type: multipart/mixed\n\nabc"],
    )
    def test_what_is_no_message_is_survived(self, raw: bytes):
        mail = of_message(raw)
        assert list(reader.sentences(mail, "en"))

    def test_nesting_without_end_is_survived(self):
        deep = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000)
        )
        assert of_message(b"Subject: deep\n" + deep).envelope.subject == "deep"

    @pytest.mark.parametrize(
        ("date", "expected"),
        [
            (b"Tue, 24 Nov 2026 10:15:00 -0000", datetime(2026, 11, 24, 10, 15, tzinfo=UTC)),
            (b"24 Nov 26 10:15 GMT", datetime(2026, 11, 24, 10, 15, tzinfo=UTC)),
            (b"yesterday", None),
            (b"Tue, 99 Nov 2026 10:15:00 +0100", None),
            (b"", None),
            (b"\xff\xfe", None),
        ],
    )
    def test_a_date_is_read_or_missing(self, date: bytes, expected: datetime | None):
        assert envelope_of_header(b"Date: " + date + b"\r\n\r\n").received == expected

    def test_raw_octets_in_a_header_are_read(self):
        header = "Subject: Grüße\r\nFrom: Jürgen <j@example.com>\r\n\r\n"
        for charset in ("utf-8", "latin-1"):
            envelope = envelope_of_header(header.encode(charset))
            assert (envelope.subject, envelope.sender_name) == ("Grüße", "Jürgen")

    @settings(deadline=None)
    @given(st.binary(max_size=2000))
    def test_no_message_raises(self, raw: bytes):
        for sentence in reader.sentences(of_message(raw), "en"):
            assert 0 < len(sentence.text) <= 310


WORDS = [
    "Content-Type: multipart/mixed; boundary=b",
    "\n\n",
    "--b\n",
    "> ",
    "<div>",
    "</p>",
    "https://x.example/",
    "On 1/1 10:10 a@b wrote:",
    "=?utf-8?q?",
    "-- \n",
    "begin 644 x\n",
    "\u202e",
    "1234567",
    "From: a\nSent: b\nTo: c\n",
]


@settings(deadline=None)  # the first guess of a language loads the model
@given(
    data=st.one_of(
        st.binary(max_size=3000),
        st.lists(st.sampled_from(WORDS), max_size=60).map(lambda w: "".join(w).encode()),
    ),
    html=st.booleans(),
    charset=st.sampled_from(
        [
            "",
            "utf-8",
            "utf-7",
            "utf-16",
            "gb2312",
            "iso-2022-jp",
            "hz",
            "rot13",
            "unicode_escape",
            "\0",
            "x" * 100,
        ]
    ),
    encoding=st.sampled_from(["", "base64", "quoted-printable", "x-uuencode"]),
    flowed=st.booleans(),
    language=st.sampled_from(["en", "de", "fr", "es", "zz", "", "x" * 50, "../"]),
)
def test_no_octets_raise_and_what_is_said_is_bounded(
    data: bytes, html: bool, charset: str, encoding: str, flowed: bool, language: str
):
    text = Text(data, html=html, charset=charset, encoding=encoding, flowed=flowed, delsp=flowed)
    spoken = list(reader.sentences(Mail(Envelope(), (text, text)), language))
    assert spoken
    assert sum(len(sentence.text) for sentence in spoken) < reader.MAX_SPOKEN + 1000
    for sentence in spoken:
        assert sentence.text.isprintable()
        assert sentence.text.strip() == sentence.text != ""
        assert not set("<>") & set(sentence.text)
        sentence.text.encode("utf-8")


@settings(deadline=None)
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_no_envelope_raises(name: str, address: str, subject: str):
    envelope = Envelope(name, address, subject)
    for sentence in reader.announcement(envelope, number=1, of=1, now=datetime.now(UTC), language="de"):
        assert 0 < len(sentence.text) < 400
        assert "\n" not in sentence.text


HORRORS = {
    "one long line": b"a " * (MAX_OCTETS // 2),
    "no spaces": b"a" * MAX_OCTETS,
    "punctuation": b".,;:!?" * (MAX_OCTETS // 6),
    "quotes": b">" * MAX_OCTETS,
    "quoted lines": b"> x\n" * (MAX_OCTETS // 4),
    "attributions": b"on 10:10 wrote wrote wrote a@b\n" * (MAX_OCTETS // 32),
    "headers": b"From: a\n" * (MAX_OCTETS // 8),
    "links": b"http://a.example/ " * (MAX_OCTETS // 18),
    "addresses": b"a.b.c@" * (MAX_OCTETS // 6),
    "numbers": b"+0 (0)-1 2026-01-" * (MAX_OCTETS // 17),
    "brackets": b"[(<" * (MAX_OCTETS // 3),
    "armour": b"-----BEGIN A-----\n" * (MAX_OCTETS // 18),
    "soft": b"x \n" * (MAX_OCTETS // 3),
    "markers": "\u202e\u00ad\u200cx".encode() * (MAX_OCTETS // 12),
}


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("horror", HORRORS)
@pytest.mark.timeout(20)
def test_time_grows_no_faster_than_the_text(horror: str, html: bool):
    text = Text(HORRORS[horror], html=html, flowed=not html)
    assert list(reader.sentences(Mail(Envelope(), (text,)), "en"))
