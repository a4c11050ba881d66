from psyllm.collect.crawl.downloading import identity, scrapy_settings


def test_nothing_of_scrapys_own_acts_beside_ours_and_certificates_are_checked():
    settings = scrapy_settings(1000)
    for name in (
        "ROBOTSTXT_OBEY",
        "COOKIES_ENABLED",
        "REDIRECT_ENABLED",
        "RETRY_ENABLED",
        "AUTOTHROTTLE_ENABLED",
    ):
        assert settings[name] is False
    assert settings["DOWNLOAD_VERIFY_CERTIFICATES"] is True
    assert settings["DOWNLOAD_MAXSIZE"] == 1000
    assert list(settings["DOWNLOADER_MIDDLEWARES_BASE"]) == [
        "scrapy.downloadermiddlewares.httpcompression.HttpCompressionMiddleware"
    ]


def test_a_page_as_contact_is_no_mail_address():
    class WithPage:
        contact = "https://institute.example/crawler"
        mail = ""

    headers = identity(WithPage)
    assert headers["User-Agent"].endswith("(+https://institute.example/crawler)")
    assert "From" not in headers
    assert "Cookie" not in headers
    assert "Referer" not in headers
