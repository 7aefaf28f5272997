"""What is said of a mail: the announcement, the text, and what is left out of it."""

from __future__ import annotations

import ast
import base64
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from syncengine.speech import reader
from syncengine.speech.header import address, decoded, text
from syncengine.speech.language import guess
from syncengine.speech.mail import Envelope, Mail, Sealed, Text
from syncengine.speech.phrasebook.shape import Phrases
from syncengine.speech.phrases import LANGUAGES
from tests.support.hearing import HeardVoice

VIENNA = timezone(timedelta(hours=1))
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=VIENNA)
IMPURE = {"socket", "time", "random", "logging", "os", "subprocess", "threading", "sqlite3"}
PURE = (
    "mail.py header.py body.py hypertext.py quotes.py words.py figures.py programs.py phrases.py reader.py "
    "language.py structure.py bodystructure.py message.py"
)


def said(data: str | bytes, language: str = "en", subject: str = "", **how: object) -> list[str]:
    octets = data.encode() if isinstance(data, str) else data
    mail = Mail(Envelope(subject=subject), (Text(octets, **how),))  # type: ignore[arg-type]
    return [sentence.text for sentence in reader.sentences(mail, language)]


def announced(language: str = "en", **envelope: object) -> list[str]:
    spoken = reader.announcement(
        Envelope(**envelope),  # type: ignore[arg-type]
        number=2,
        of=5,
        now=NOW,
        language=language,
    )
    return [sentence.text for sentence in spoken]


class TestAnnouncement:
    def test_says_number_sender_subject_and_time(self):
        when = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
        assert announced(sender_name="Peter Adams", subject="Offer", received=when) == [
            "Message 2 of 5.",
            "From Peter Adams.",
            "Subject: Offer.",
            "Received today at 10:15 AM.",
        ]

    def test_in_german_the_day_is_an_ordinal_and_the_time_has_its_word(self):
        when = datetime(2026, 4, 3, 14, 30, tzinfo=VIENNA)
        assert announced("de-AT", sender_name="Jürgen", subject="", received=when) == [
            "Nachricht 2 von 5.",
            "Von Jürgen.",
            "Kein Betreff.",
            "Empfangen am Freitag, den dritten April um 14 Uhr 30.",
        ]

    @pytest.mark.parametrize(
        ("received", "sentence"),
        [
            (NOW - timedelta(hours=12, minutes=1), "Received yesterday at 11:59 PM."),
            (NOW - timedelta(hours=12), "Received today at 12 AM."),
            (NOW.replace(year=2024), "Received on Sunday, 24 November 2024 at 12 PM."),
            (NOW + timedelta(days=2), "Received on Thursday, 26 November at 12 PM."),
            (datetime(2026, 11, 24, 8, 5), "Received today at 8:05 AM."),
            (datetime(1, 1, 1, 0, 0, tzinfo=timezone(timedelta(hours=14))), "Received on"),
            (datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=12))), "Received on"),
        ],
    )
    def test_says_when_it_came_seen_from_now(self, received: datetime, sentence: str):
        assert announced(received=received)[3].startswith(sentence)

    @pytest.mark.parametrize(
        ("subject", "sentence"),
        [
            ("Re: AW: Re[2]: [users] Fwd: Lunch", "Subject: Lunch."),
            ("Re:", "Subject: Re:"),
            ("[Ticket]", "Subject: Ticket."),
            ("WIN!!!!!! $$$$", "Subject: WIN!"),
            ("   ", "No subject."),
            ("👍👍", "No subject."),
        ],
    )
    def test_says_the_subject_without_its_trimmings(self, subject: str, sentence: str):
        assert announced(subject=subject)[2] == sentence

    @pytest.mark.parametrize(
        ("name", "mail", "sentence"),
        [
            ("Adams, Peter", "x@example.com", "From Adams, Peter."),
            ("", "peter.adams@example.com", "From peter adams."),
            ("peter.adams@example.com", "peter.adams@example.com", "From peter adams."),
            ("", "bounce-0123456789abcdef0123456789@news.example.com", "From example dot com."),
            ("", "", "The sender is not named."),
            ("<script>x</script>", "", "From script x /script."),
        ],
    )
    def test_says_the_name_else_the_local_part(self, name: str, mail: str, sentence: str):
        assert announced(sender_name=name, sender_address=mail)[1] == sentence

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_language_has_all_its_months_days_and_fields(self, language: str):
        words: Phrases = LANGUAGES[language]
        assert (len(words.months), len(words.weekdays), len(words.days)) == (12, 7, 31)
        for day in range(1, 366):
            when = datetime(2025, 1, 1, day % 24, day % 60, tzinfo=UTC) + timedelta(days=day)
            for sentence in announced(language, sender_name="x", subject="y", received=when):
                assert "{" not in sentence

    def test_a_language_without_phrases_is_announced_in_english_words_by_an_english_voice(self):
        spoken = reader.announcement(Envelope("Sven"), number=2, of=5, now=NOW, language="sv")
        assert [(s.language, s.text) for s in spoken][:2] == [("en", "Message 2 of 5."), ("en", "From Sven.")]

    @pytest.mark.parametrize(
        ("name", "subject", "language", "voices"),
        [
            ("王小明", "Hello", "en", [("en", "From"), ("zh", "王小明."), ("en", "Subject: Hello.")]),
            ("Anna", "Привет из Москвы", "de", [("de", "Von Anna."), ("de", "Betreff:"), ("ru", None)]),
            ("Иван", "Привет", "uk", [("en", "From"), ("uk", None), ("en", "Subject:"), ("uk", None)]),
            ("山田さん", "x", "ja", [("en", "From"), ("ja", None), ("en", "Subject: x.")]),
        ],
    )
    def test_what_a_voice_cannot_read_is_left_to_another(self, name, subject, language, voices):
        envelope = Envelope(name, "a@example.com", subject)
        spoken = list(reader.announcement(envelope, number=1, of=1, now=NOW, language=language))[1:]
        assert [(s.language, text and s.text) for s, (_, text) in zip(spoken, voices, strict=True)] == voices

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_says_how_many_there_are_and_that_there_are_no_more(self, language: str):
        said = [reader.overview(count, 2, language) for count in (0, 1, 5)] + [reader.ending(language)]
        assert len({sentence.text for sentence in said}) == 4
        assert all(sentence.language == language and "{" not in sentence.text for sentence in said)
        assert {"5", "2"} <= set(said[2].text)


class TestText:
    def test_lines_broken_by_a_program_are_one_sentence(self):
        text = "This is a long line which a program has broken at the\nseventy-second column.\n"
        text += "Short.\n- item one\n- item two"
        assert said(text) == [
            "This is a long line which a program has broken at the seventy-second column.",
            "Short.",
            "item one.",
            "item two.",
        ]

    @pytest.mark.parametrize(("word", "following"), [("tea", "milk"), ("café", "crème")])
    def test_controls_are_dropped_and_a_tab_keeps_words_apart(self, word: str, following: str):
        assert said(f"{word}\x7f\t\x01{following}.") == [f"{word} {following}."]

    def test_flowed_text_is_joined_and_its_quotes_dropped(self):
        text = "This flows \non and \non.\n> old \n> words\nNew."
        assert said(text, flowed=True) == ["This flows on and on.", "New.", "Quoted text is left out."]

    def test_flowed_text_with_delsp_joins_within_words(self):
        assert said("Donau \ndampf \nschiff.", flowed=True, delsp=True) == ["Donaudampfschiff."]

    @pytest.mark.parametrize(
        "attribution",
        [
            "On Tue, 24 Nov 2026 at 10:15, Peter Adams <p@example.com> wrote:",
            "On Tue, 24 Nov 2026 at 10:15, Peter Adams\n<p@example.com> wrote:",
            "Am 24.11.26 um 10:15 schrieb Peter Adams:",
            "Le mar. 24 nov. 2026 à 10:15, Peter Adams <p@example.com> a écrit :",
            "El mar, 24 nov 2026 a las 10:15, Peter (<p@example.com>) escribió:",
            "--- On Tue, 11/24/26, p@example.com <p@example.com> wrote:",
            "Il giorno mar 24 nov 2026 alle ore 10:15 Peter <p@example.com> ha scritto:",
            "Op di 24 nov. 2026 om 10:15 schreef Peter <p@example.com>:",
            "24.11.2026 14:20 пользователь Peter <p@example.com> написал:",
            "Peter Adams <p@example.com> writes:",
            "Peter Adams schrieb am 24.11.2026 um 10:15:",
            "Peter 于2026年11月24日周二 10:15写道\uff1a",
        ],
    )
    def test_a_quoted_reply_is_left_out_and_named(self, attribution: str):
        text = f"Yes.\n\n{attribution}\n> Shall we?\n>> Perhaps.\n\nTill then.\n"
        assert said(text) == ["Yes.", "Till then.", "Quoted text is left out."]

    @pytest.mark.parametrize(
        "header",
        [
            "-----Original Message-----\nFrom: A\nSent: today\nTo: B",
            "________________________________\nVon: A\nGesendet: heute\nAn: B\nBetreff: C",
            "From: A <a@example.com>\nDate: today\nTo: B\nSubject: C",
            "Da: A\nInviato: oggi\nA: B\nOggetto: C",
            "Van: A\nVerzonden: vandaag\nAan: B\nOnderwerp: C",
            "Od: A\nWysłano: dziś\nDo: B\nTemat: C",
            "发件人\uff1aA\n发送时间\uff1a今天\n收件人\uff1aB\n主题\uff1aC",
            "On Tue, 24 Nov 2026 at 10:15, Peter <p@example.com> wrote:",
        ],
    )
    def test_what_follows_a_copied_header_is_left_out(self, header: str):
        assert said(f"Fine with me.\n\n{header}\n\nSecret of last week.") == [
            "Fine with me.",
            "Quoted text is left out.",
        ]

    def test_a_forwarded_message_is_read(self):
        text = "See below.\n\n---------- Forwarded message ---------\nFrom: A <a@example.com>\nTo: B\n\n"
        text += "The news.\n"
        assert said(text) == ["See below.", "Forwarded message.", "The news."]
        outlook = "From: A\nSent: today\nTo: B\nSubject: C\n\nThe news."
        assert said(outlook, subject="WG: C") == ["The news."]

    def test_a_mail_of_quotes_alone_is_read(self):
        assert said("> All that\n> there is.") == ["All that there is."] or said(
            "> All that\n> there is."
        ) == [
            "All that.",
            "there is.",
        ]

    def test_words_that_only_look_like_a_quote_are_read(self):
        text = "On Monday I wrote: nothing.\nFrom: here to there.\nIt is fine."
        assert said(text) == ["On Monday I wrote: nothing.", "From: here to there.", "It is fine."]

    def test_who_wrote_something_without_a_quote_is_read(self):
        text = "What Peter wrote in 2025:\nNothing at all.\nSo it is."
        assert said(text) == ["What Peter wrote in 2025:", "Nothing at all.", "So it is."]

    def test_what_a_mailing_list_adds_is_dropped(self):
        text = f"Hello.\n{'_' * 47}\nPlans mailing list -- plans@example.com\nhttps://example.com/x\n"
        assert said(text) == ["Hello."]

    def test_an_encoded_file_in_the_text_is_dropped(self):
        lines = base64.encodebytes(bytes(range(256)) * 3).decode()
        assert said(f"Hello.\n\n{lines}\nBye.") == ["Hello.", "Bye."]

    @pytest.mark.parametrize(
        "octets", [bytes(range(256)) * 20, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, b"\xd0\xcf" * 200]
    )
    def test_what_is_no_text_is_not_read(self, octets: bytes):
        assert said(octets, charset="utf-8") == ["The message has no text that can be read aloud."]

    def test_the_signature_is_dropped(self):
        assert said("Hello.\n\n-- \nPeter Adams\nManager") == ["Hello."]

    def test_what_programs_say_about_themselves_is_dropped(self):
        text = "View this email in your browser\nHello.\nSent from my iPhone\nUnsubscribe | Preferences\n"
        text += "[image: logo]"
        assert said(text) == ["Hello."]

    def test_an_encrypted_text_is_named(self):
        text = "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----"
        assert said(text) == ["This message is encrypted and cannot be read aloud."]

    def test_armour_and_encoded_files_are_dropped(self):
        text = (
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello.\n-----BEGIN PGP SIGNATURE-----\nx\n"
            "-----END PGP SIGNATURE-----\nbegin 644 a.txt\nM86)C\n`\nend\nBye."
        )
        assert said(text) == ["Hello.", "Bye."]

    @pytest.mark.parametrize("seal", Sealed)
    def test_a_sealed_mail_is_named_in_every_language(self, seal: Sealed):
        for language in LANGUAGES:
            (sentence,) = reader.sentences(Mail(Envelope(), sealed=seal), language)
            assert len(sentence.text) > 20

    def test_attachments_are_counted(self):
        def last(*names: str) -> str:
            return [s.text for s in reader.sentences(Mail(Envelope(), attachments=names), "en")][-1]

        assert last() == "The message has no text that can be read aloud."
        assert last("a") == "The message has one attachment."
        assert last("a", "", "c") == "The message has 3 attachments."

    def test_a_long_mail_is_cut_at_a_sentence_and_says_so(self):
        spoken = said("This is a sentence of some length. " * 1000)
        assert spoken[-1] == "The message goes on; the rest is left out."
        assert sum(map(len, spoken[:-1])) <= reader.MAX_SPOKEN
        assert sum(map(len, spoken[:-1])) > reader.MAX_SPOKEN - 50

    def test_a_mail_of_which_only_the_beginning_was_fetched_says_so(self):
        assert said("Hello.", cut=True) == ["Hello.", "The message goes on; the rest is left out."]

    def test_a_sentence_without_end_comes_in_pieces(self):
        spoken = said("word " * 300)
        assert all(len(sentence) <= 301 for sentence in spoken)
        assert " ".join(spoken).count("word") == 300


class TestHtml:
    def test_blocks_become_lines_and_the_invisible_is_dropped(self):
        html = (
            "<html><head><title>T</title><style>p{}</style></head><body>"
            "<div style='display:none'>preview</div>"
            "<p>Dear  <b>Pe</b>ter,</p>\n<p>it is\nfine.</p><script>x()</script><img src=x alt='pixel'>"
            "<table><tr><td>Price</td><td>20 &euro;</td></tr></table><!-- no --></body></html>"
        )
        assert said(html, html=True) == ["Dear Peter.", "it is fine.", "Price 20 euros."]

    def test_a_cited_block_is_a_quote(self):
        html = "<p>Yes.</p><div class=gmail_quote>On Tue, 24 Nov 2026 at 10:15 P &lt;p@x.example&gt; wrote:"
        html += "<blockquote class=gmail_quote>old<p>words</blockquote></div>"
        assert said(html, html=True) == ["Yes.", "Quoted text is left out."]

    def test_an_indented_block_is_none(self):
        assert said("<blockquote>Indented.</blockquote>", html=True) == ["Indented."]

    def test_links_are_their_words(self):
        html = "<p>Please <a href='https://t.example.com/abc?u=1'>sign here</a> today.</p>"
        assert said(html, html=True) == ["Please sign here today."]

    def test_a_mail_of_pictures_is_their_texts(self):
        assert said("<img alt='Great sale'><img alt='Only today'>", html=True) == ["Great sale Only today."]

    def test_html_in_a_plain_part_is_read_as_html(self):
        assert said("<!DOCTYPE html><html><body><p>Hello.</p>") == ["Hello."]

    def test_its_own_charset_counts_where_the_mail_names_none(self):
        html = "<html><head><meta charset=koi8-r></head><p>Привет всем.</p>".encode("koi8-r")
        assert said(html, html=True) == ["Привет всем."]

    @pytest.mark.parametrize(
        "markup", ["<div>", "<b><i>", "<table><tr><td>", "<blockquote type=cite>", "<ul><li>"]
    )
    def test_depth_costs_no_more_than_length(self, markup: str):
        html = markup * (150_000 // len(markup)) + "Deep words."
        assert "Deep words." in said(html, html=True)


class TestWords:
    @pytest.mark.parametrize(
        ("written", "spoken"),
        [
            ("See https://www.example.com/a?b=c.", "See link to example dot com."),
            ("See http://10.0.0.1/x now", "See link now."),
            ("See http://[bad now", "See link now."),
            ("Read on <https://click.example.net/u/0123456789> here", "Read on here."),
            ("[Words](https://example.com/x) help", "Words help."),
            ("Ask peter.adams@example.com.", "Ask peter dot adams at example dot com."),
            ("Id 550e8400-e29b-41d4-a716-446655440000.", "Id a code."),
            ("Key MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A ok", "Key a code ok."),
            ("Donaudampfschifffahrtsgesellschaft", "Donaudampfschifffahrtsgesellschaft."),
            ("Content-Transfer-Encoding matters", "Content-Transfer-Encoding matters."),
            ("Really?????? Yes!!!!!", "Really?"),
            ("wait ....... now", "wait."),
            ("soooooo good", "sooo good."),
            ("*bold* _under_ `code`", "bold under code."),
            ("Cats & dogs 🐱", "Cats and dogs."),
            ("It costs $12.50 or 5€", "It costs 12.50 dollars or 5 euros."),
            ("Due 2026-12-24.", "Due 24 December 2026."),
            ("Due 2026-99-24.", "Due 2026-99-24."),
            ("At 10:15 pm", "At 10:15 PM."),
            ("Call +43 1 2345678 now", "Call plus 4 3, 1, 2 3 4 5 6 7 8 now."),
            ("Order 12345678", "Order 1 2 3 4 5 6 7 8."),
            ("It weighs 1,234,567 tons", "It weighs 1,234,567 tons."),
        ],
    )
    def test_what_is_written_is_said(self, written: str, spoken: str):
        assert said(written)[0] == spoken

    def test_german_dates_and_times_are_said_the_german_way(self):
        text = "Wir sehen uns am 24.12.2026 um 10:15 Uhr, oder am 3. April um 9:00."
        assert said(text, "de")[0] == (
            "Wir sehen uns am vierundzwanzigsten Dezember 2026 um 10 Uhr 15, oder am dritten April um 9 Uhr."
        )

    @pytest.mark.parametrize(
        ("language", "written", "spoken"),
        [
            ("en", "Paid 19/08/2016 and 08/19/2016", "Paid 19 August 2016 and 19 August 2016."),
            ("en", "Paid 04/03/2016", "Paid 04/03/2016."),
            (
                "en",
                "IBAN DE89 3704 0044 0532 0130 00",
                "IBAN D E, 8 9, 3 7 0 4, 0 0 4 4, 0 5 3 2, 0 1 3 0, 0 0.",
            ),
            ("en", "Costs USD 5 or 7 EUR", "Costs 5 dollars or 7 euros."),
            ("en", "1. Read this first", "1. Read this first."),
            ("de", "Um 10.15 Uhr am 3.4. hier", "Um 10 Uhr 15 am dritten April hier."),
            ("de", "Seit 03.04.26 da", "Seit dritten April 2026 da."),
            ("de", "Version 3.4. ist da", "Version 3.4. ist da."),
            ("fr", "Le 03/04/2026 à 10h15 ou 9 h", "Le 3 avril 2026 à 10 heures 15 ou 9 heures."),
            ("es", "El 03/04/2026 a las 10:15", "El 3 de abril de 2026 a las 10:15."),
            ("it", "Il 01/04/2026 alle 10:15", "Il primo aprile 2026 alle 10 e 15."),
            ("nl", "Op 03/04/2026 om 10.15 uur", "Op 3 april 2026 om 10 uur 15."),
            ("pt", "Em 03/04/2026 às 10h15", "Em 3 de abril de 2026 às 10 horas e 15."),
            (
                "sv",
                "Den 2026-04-03 kl 10:15, $5 & anna@example.com",
                "Den 2026-04-03 kl 10:15, $5 & anna@example.com.",
            ),
        ],
    )
    def test_each_language_says_numbers_its_own_way(self, language: str, written: str, spoken: str):
        assert said(written, language)[0] == spoken

    def test_abbreviations_and_decimals_end_no_sentence(self):
        text = "Dr. Adams pays 3.14 e.g. today. He left at 5. Then it rained."
        assert said(text) == ["Dr. Adams pays 3.14 e.g. today.", "He left at 5.", "Then it rained."]

    def test_separators_and_bullets_are_not_said(self):
        assert said("=====\nOne\n-----\n* Two\n• Three") == ["One.", "Two.", "Three."]

    def test_a_link_that_is_repeated_is_said_once(self):
        assert said("https://a.example.com/1\nhttps://a.example.com/2\nEnd") == [
            "link to example dot com.",
            "End.",
        ]


class TestCharsets:
    @pytest.mark.parametrize(
        ("charset", "encoding"),
        [
            ("utf-8", "utf-8"),
            ("UTF8", "utf-8"),
            ("", "utf-8"),
            ("us-ascii", "utf-8"),
            ("x-unknown", "utf-8"),
            ("iso-8859-1", "latin-1"),
            ("", "latin-1"),
            ("us-ascii", "cp1252"),
            ("cp1252", "utf-8"),
            ("windows-1252", "cp1252"),
            ("iso-8859-15", "iso-8859-15"),
            ("utf-16", "utf-16"),
            ("utf-8*de", "utf-8"),
            ("rot13", "utf-8"),
            ("zlib", "utf-8"),
            ("punycode", "utf-8"),
            ("../../x", "utf-8"),
        ],
    )
    def test_text_survives_what_its_charset_is_called(self, charset: str, encoding: str):
        assert decoded("Grüße und Öl".encode(encoding), charset) == "Grüße und Öl"

    def test_utf8_under_another_name_is_utf8(self):
        assert said("代开各地增值税发票", charset="gb2312") == ["代开各地增值税发票."]

    def test_cut_utf8_is_still_utf8(self):
        assert decoded("Grüße".encode()[:-2], "utf-8") == "Grü"

    @pytest.mark.parametrize(
        ("name", "sample"),
        [
            ("gb2312", "你好"),
            ("shift_jis", "こんにちは"),
            ("iso-2022-jp", "日本"),
            ("koi8-r", "Привет"),
            ("euc-kr", "안녕"),
            ("big5", "中文"),
            ("windows-1255", "שלום"),
        ],
    )
    def test_every_script_is_read(self, name: str, sample: str):
        assert decoded(sample.encode(name), name) == sample

    def test_transfer_encodings_are_undone_as_far_as_they_go(self):
        whole = base64.encodebytes("Grüße aus Wien.".encode())
        assert said(whole, "de", encoding="BASE64") == ["Grüße aus Wien."]
        assert said(whole[:-4], "de", encoding="base64")[0].startswith("Grüße aus")
        assert said(b"!!" + whole + b"=", "de", encoding="base64") == ["Grüße aus Wien."]
        assert said(b"Gr=C3=BC=C3=9Fe=\n aus=3D Wien=", "de", encoding="quoted-printable")[0].startswith(
            "Grüße aus"
        )
        assert said("Hallo.", encoding="x-nonsense") == ["Hallo."]


class TestHeaders:
    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
            (b"=?utf-8?B?R3LD?= =?utf-8?B?vMOfZQ==?=", "Grüße"),
            (b"=?iso-8859-1?q?Gr=FC=DFe?= aus\r\n Wien", "Grüße aus Wien"),
            ("Grüße".encode(), "Grüße"),
            ("Grüße".encode("latin-1"), "Grüße"),
            (b"=?utf-8?B?!!!?= rest", "rest"),
            (b"=?nonsense?q?abc?=", "abc"),
            (b"=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
            (b"a\0b\x1bc", "a b c"),
            (b"", ""),
        ],
    )
    def test_a_header_text_is_one_decoded_line(self, raw: bytes, expected: str):
        assert text(raw) == expected

    def test_a_header_text_is_bounded(self):
        assert len(text(b"x" * 1_000_000)) == 2000

    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            (b"Peter Adams <p@example.com>", ("Peter Adams", "p@example.com")),
            (b'"Adams, Peter" <p@example.com>', ("Adams, Peter", "p@example.com")),
            (b"=?utf-8?q?J=C3=BCrgen?= <j@example.com>", ("Jürgen", "j@example.com")),
            (b"=?utf-8?q?boss=40bank.example?= <x@evil.example>", ("boss@bank.example", "x@evil.example")),
            (b"p@example.com", ("", "p@example.com")),
            (b"undisclosed", ("", "")),
            (b"", ("", "")),
        ],
    )
    def test_name_and_address_are_told_apart_before_decoding(self, raw: bytes, expected: tuple[str, str]):
        assert address(raw) == expected


class TestLanguage:
    @pytest.mark.parametrize(
        ("sample", "language"),
        [
            ("Guten Morgen, wir treffen uns heute um zehn Uhr im Büro am Ring.", "de"),
            ("Good morning, could you please call me back today about the offer?", "en"),
            ("Bonjour, pouvez-vous me rappeler aujourd'hui à propos de l'offre ?", "fr"),
            ("Hola, ¿puede llamarme hoy por la tarde sobre la oferta de trabajo?", "es"),
            ("Buongiorno, la prego di richiamarmi oggi a proposito dell'offerta.", "it"),
            ("Доброе утро, перезвоните мне сегодня, пожалуйста, по поводу договора.", "ru"),
        ],
    )
    def test_a_mail_is_read_in_its_own_language(self, sample: str, language: str):
        assert guess(sample, "nl") == language

    def test_what_cannot_be_told_is_in_the_mailbox_language(self):
        assert guess("ok, thanks", "de-AT") == "de-at"
        assert guess("12345 67890 " * 20, "fr") == "fr"

    def test_the_mailbox_own_language_keeps_its_region(self):
        assert guess("Good morning, could you please call me back today about it?", "en-US") == "en-us"

    def test_the_readers_own_words_stay_in_the_mailbox_language(self):
        german = "Guten Tag Herr Maier, anbei finden Sie das Angebot für das neue Büro.\n> alt"
        spoken = list(reader.sentences(Mail(Envelope(), (Text(german.encode()),)), "en"))
        assert [sentence.language for sentence in spoken] == ["de", "en"]


def test_the_synthesiser_pronounces_what_was_meant(tmp_path: Path):
    """A transcript of the sound itself, in the synthesiser's phonemes: what is heard, without ears."""
    when = datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
    spoken = [("en", line) for line in announced(sender_name="Peter", subject="x", received=when)]
    spoken += [
        ("en", said("See https://example.com/x?y=z now")[0]),
        ("de", said("am 3.4.2026 um 10:15", "de")[0]),
        ("fr", said("le 3/4/2026 à 10h15", "fr")[0]),
    ]
    heard = []
    with HeardVoice(tmp_path / "transcript") as voice:
        for language, text in spoken:
            before = voice.heard
            assert len(voice.speak(text, language)) > 8000
            heard.append(voice.heard.removeprefix(before))

    assert "tu 0v faIv" in heard[0]  # two of five
    assert "tEn fIftin" in heard[3]  # ten fifteen
    assert "lINk" in heard[4]
    assert "d0t k0m" in heard[4]  # dot com
    assert "drIt@n" in heard[5]  # dritten
    assert "ur" in heard[5]  # Uhr
    assert "avril" in heard[6]
    assert "Wr" in heard[6]  # heures


@pytest.mark.parametrize("module", PURE.split())
def test_the_reader_knows_no_clock_socket_or_log(module: str):
    path = Path(reader.__file__).with_name(module)
    names = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names & IMPURE == set()
