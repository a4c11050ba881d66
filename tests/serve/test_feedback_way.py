"""The whole way: a rating in the page becomes a record that the next clean takes in."""

from pathlib import Path

import httpx

from psyllm.clean.run import run as clean
from psyllm.core.records import read_records
from psyllm.core.settings import CleanSettings, FeedbackSettings, ServeSettings
from psyllm.core.stages import Stage, stage_folder
from psyllm.feedback.run import run as feedback
from psyllm.serve.run import Service
from serve_house import HEADERS, key

QUESTION = "论文文档打开三个月，只写了一个标题，一坐下就想刷手机，我的微信号是abc_12345，导师在催"


def test_a_rating_becomes_a_record_while_the_server_runs(tmp_path: Path) -> None:
    with (
        Service(ServeSettings(port=0, model="none"), tmp_path) as service,
        httpx.Client(base_url=service.url, headers=HEADERS) as visitor,
    ):
        body = {"title": QUESTION, "details": "", "request_key": key()}
        turn = visitor.post("/api/conversations", json=body).json()
        found = visitor.get(f"/api/conversations/{turn['conversation_id']}").json()
        answer = found["messages"][1]
        assert answer["author"] == "library"
        rating = {
            **dict.fromkeys(("helpfulness", "fluency", "relevance", "logic"), 5),
            "comment": "有用",
            "training_consent": True,
        }
        path = f"/api/messages/{answer['id']}/rating"
        assert visitor.post(path, json=rating).status_code == 201

        assert feedback(FeedbackSettings(), tmp_path).counts["records"] == 1
        cleaned = clean(CleanSettings(), tmp_path)
        [record] = read_records(stage_folder(tmp_path, Stage.CLEANED) / cleaned.run)
        assert record.source == "casebook"
        assert record.answers[0].text == answer["text"]
        assert record.answers[0].mean_rating == 5
        assert "abc_12345" not in record.title
        assert record.consent_id

        assert visitor.post(path, json={**rating, "training_consent": False}).status_code == 201
        assert feedback(FeedbackSettings(), tmp_path).counts["records"] == 0
    assert not (stage_folder(tmp_path, Stage.FEEDBACK) / "casebook").exists()
