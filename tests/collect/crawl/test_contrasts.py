"""What we do not rely on, shown to fail where ours holds."""

import subprocess
import sys

from crawl_ground import ROOT, served, settled


def test_scrapys_own_middleware_lets_requests_through_while_robots_txt_loads_and_ours_sends_none(tmp_path):
    with served(
        tmp_path, [{"questions": 20, "robots": "slow"}, {"questions": 20, "robots": "slow"}]
    ) as ground:
        urls = [[f"http://{ground.host(host)}/qa/{n}" for n in range(1, 9)] for host in range(2)]
        subprocess.run([sys.executable, str(ROOT / "tests" / "scrapys_own.py"), *urls[0]], check=True)
        permission = ground.permission(hosts=[1], starts=urls[1])
        ground.crawl(permission, check=False)
        theirs, ours = settled(lambda: (ground.paths(0), ground.paths(1)))
    assert [path for path in ours if path != "/robots.txt"] == []
    assert ours, "robots.txt itself was asked for"
    assert [path for path in theirs if path != "/robots.txt"] != [], (
        "Scrapy is mended: is our gate still needed?"
    )
