import pytest

from nas_attn.space import without_password, without_passwords, without_secrets

URLS = [
    "postgresql://u:SECRET@h/db",
    "postgres//u:SECRET@h/db",
    "postgresql:/u:SECRET@h/db",
    "postgresql:u:SECRET@h/db",
    "u:SECRET@h/db",
    "postgresql+psycopg2://u:SECRET@h:5432/db",
    "postgresql://u:SEC@RET@h/db",
    "postgresql://u:SEC/RET@h/db",
    "postgresql://u:SEC?RET#x@h/db",
    "postgresql://u:SEC%40RET@h/db",
    "postgresql://u:SECRET%40h/db",
    "postgresql://u%3ASECRET@h/db",
    "postgresql://u:SECRET",
    "postgresql://u:SECRET/db",
    "postgresql://u:SECRET:h/db",
    "postgresql://u:SEC RET@h/db",
    "postgresql://u:SEC'RET@h/db",
    "redis://:SECRET@h:6379/0",
    "redis://SECRET@h",
    "rediss://default:SECRET@h",
    "mysql+pymysql:\\\\u:SECRET@h/db",
    "postgresql://h/db?password=SECRET",
    "postgresql://h/db?user=u&passwd=SECRET&port=1",
    "postgresql://h/db?user=u;pwd=SECRET",
    "postgresql://h/db?sslpassword=SECRET&sslmode=require",
    "postgresql://h/db?p%61ssword=SECRET",
    "postgresql://h/db?password=SEC&RET",
    "postgresql://h/db?options=host=x password=SECRET user=y",
    "postgresql://h/db?options=host%3Dx%20password%3DSECRET",
    "postgresql://h/db?options=password='SEC RET'",
    "host=h dbname=d password=SECRET",
    "mysql://h/db?ssl_key=SECRET",
    "https://h/db?api_key=SECRET&token=SECRET",
    "mssql+pyodbc:///?odbc_connect=DRIVER=x;UID=u;PWD=SECRET",
    "sqlite:///study.db?key=SECRET",
]


@pytest.mark.parametrize("url", URLS)
def test_a_secret_is_hidden_however_its_url_is_written(url):
    for shown in (
        without_password(url),
        without_passwords(f"Could not parse {url!r}: {url} is none", url),
        without_passwords(f'storage = "{url}"', url),
    ):
        assert not [part for part in ("SEC", "RET") if part in shown]
        assert "***" in shown


@pytest.mark.parametrize("url", [url for url in URLS if " " not in url and "'" not in url and "#" not in url])
def test_a_secret_is_hidden_in_a_text_that_nobody_knew_a_url_in(url):
    for text in (f'old = "{url}"', f"see {url}, please", f"['{url}']", f"{{'storage': '{url}'}}"):
        assert "SECRET" not in without_passwords(text)


@pytest.mark.parametrize("url", ["postgresql://u:S3@h/db", "postgresql://me:SEC@RET@h/db", "redis://:pw@h"])
def test_the_parts_that_a_library_quotes_of_a_url_are_hidden(url):
    said = f"invalid literal for int() with base 10: '{url.split(':')[-1]}'"
    assert without_passwords(said, url).count("***") == 1
    assert "SEC" not in without_passwords(said, url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@host/studies",
        "postgresql://host:5432/studies?sslmode=require&connect_timeout=10",
        "postgresql://[::1]:5432/db",
        "postgresql://a:1,b:2/db",
        "sqlite:////home/me@work/a b/study.db",
        "sqlite:///C:/studies/study.db",
        "sqlite:///study.db",
        "nonsense",
    ],
)
def test_what_holds_no_secret_is_shown_as_it_is(url):
    assert without_password(url) == url
    assert without_passwords(f"storage {url}: cannot be used") == f"storage {url}: cannot be used"


def test_messages_about_keys_and_places_are_left_as_they_are():
    for said in ("study.toml:3: kinds.key: found 'x'; allowed: a, b", "rows.csv: row 3: key: found 'a1', allowed: 'b'"):
        assert without_passwords(said) == said


def test_tables_are_handed_on_without_what_their_names_call_secret():
    told = {"data": {"arguments": [{"token": "SECRET", "tokens": 7, "url": "http://u:SECRET@h"}]}, "tokenizer": "bert"}
    assert without_secrets(told) == {
        "data": {"arguments": [{"token": "***", "tokens": 7, "url": "http://u:***@h"}]},
        "tokenizer": "bert",
    }
