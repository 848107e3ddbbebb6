"""Every text of the pages is said in French too."""

from tests.pages import translations


def test_every_text_of_the_pages_has_a_french_one():
    catalogue = translations.catalogue()
    missing = [text for text in translations.texts() if not _french(catalogue, text)]
    assert missing == []


def test_the_catalogue_holds_no_text_that_no_page_uses():
    used = {text if isinstance(text, str) else text[0] for text in translations.texts()}
    kept = {m.id if isinstance(m.id, str) else m.id[0] for m in translations.catalogue() if m.id}
    assert kept - used == set()


def test_nothing_compiled_is_kept_beside_the_catalogues():
    assert list((translations.SOURCE / "translations").rglob("*.mo")) == []


def test_a_translation_keeps_the_placeholders_of_its_text():
    wrong = [m.id for m in translations.catalogue() if m.id and list(m.check())]
    assert wrong == []


def _french(catalogue, text):
    found = catalogue.get(text if isinstance(text, str) else text[0])
    return found is not None and (all(found.string) if isinstance(found.string, tuple) else bool(found.string))
