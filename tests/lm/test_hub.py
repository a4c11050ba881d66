"""A fetch shows its revision, waits for the licence to be accepted, and is whole or not there. No network here."""

import json
import shutil
import subprocess
import sys

import pytest

from psyllm.core.errors import BadCheckpoint, BadSetting, DiskFull, HubFailed
from psyllm.core.progress import listening
from psyllm.core.stages import file_hash
from psyllm.lm.hub import FETCHED, HuggingFace, Listing, fetch, fetched_permit, read_fetched, wanted_files
from psyllm.lm.known import known_model

REVISION = "c0ffee" * 6 + "c0ff"
KNOWN = known_model("qwen3-0.6b")
FILES = {
    "config.json": b"{}",
    "README.md": b"#",
    "modeling_own.py": b"raise SystemExit",
    "tokenizer.json": b"{}",
    "merges.txt": b"a b",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"pickle",
    "onnx/model.onnx": b"other",
    "onnx/config.json": b"other",
}
WANTED = ["config.json", "merges.txt", "tokenizer.json", "model.safetensors"]


class FakeHub:
    """A hub on this machine; `breaks` downloads so many files and stops."""

    def __init__(self, files=FILES, licence="apache-2.0", breaks=None, lie_bytes=0):
        self.files, self.licence, self.breaks, self.lie_bytes = files, licence, breaks, lie_bytes
        self.asked, self.sent = [], []

    def listing(self, repository, revision):
        self.asked.append((repository, revision))
        sizes = {name: len(content) + self.lie_bytes for name, content in self.files.items()}
        return Listing(REVISION, self.licence, sizes)

    def download(self, repository, revision, names, target):
        assert (repository, revision) == (KNOWN.repository, REVISION)
        (target / ".cache").mkdir(exist_ok=True)
        for number, name in enumerate(names):
            if number == self.breaks:
                message = "the model hub did not give it"
                raise HubFailed(message, "try again")
            if not (target / name).exists():
                (target / name).write_bytes(self.files[name])
                self.sent.append(name)


def test_a_fetch_leaves_the_small_files_the_weights_and_a_note(tmp_path):
    hub, seen = FakeHub(), []
    with listening(seen.append):
        folder = fetch(KNOWN, tmp_path, accept_licence=True, hub=hub)
    assert folder == tmp_path / "hub" / "qwen3-0.6b"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*WANTED, FETCHED])
    said = read_fetched(folder)
    assert (said.repository, said.revision, said.licence) == ("Qwen/Qwen3-0.6B", REVISION, "apache-2.0")
    assert said.files["model.safetensors"] == file_hash(folder / "model.safetensors")
    assert hub.asked == [("Qwen/Qwen3-0.6B", "main")]
    assert REVISION[:12] in seen[0].note


def test_a_model_that_is_there_is_not_fetched_again(tmp_path):
    fetch(KNOWN, tmp_path, accept_licence=True, hub=FakeHub())
    again = FakeHub()
    fetch(KNOWN, tmp_path, accept_licence=False, hub=again)
    assert not again.asked


def test_another_revision_of_what_is_there_is_told(tmp_path):
    fetch(KNOWN, tmp_path, accept_licence=True, hub=FakeHub())
    fetch(KNOWN, tmp_path, accept_licence=True, revision=REVISION[:8], hub=FakeHub())
    with pytest.raises(BadSetting, match=f"holds revision {REVISION}, not abc"):
        fetch(KNOWN, tmp_path, accept_licence=True, revision="abc", hub=FakeHub())


def test_a_tag_that_was_fetched_is_known_again_and_another_is_told(tmp_path):
    folder = fetch(KNOWN, tmp_path, accept_licence=True, revision="v1.0", hub=FakeHub())
    again = FakeHub()
    assert fetch(KNOWN, tmp_path, accept_licence=True, revision="v1.0", hub=again) == folder
    assert not again.asked
    with pytest.raises(BadSetting, match=f"holds revision {REVISION}, not v2.0"):
        fetch(KNOWN, tmp_path, accept_licence=True, revision="v2.0", hub=FakeHub())


def test_a_note_of_an_earlier_version_names_no_tag_and_is_read(tmp_path):
    folder = fetch(KNOWN, tmp_path, accept_licence=True, hub=FakeHub())
    said = json.loads((folder / FETCHED).read_text("utf-8"))
    del said["asked"]
    (folder / FETCHED).write_text(json.dumps(said), "utf-8")
    assert fetch(KNOWN, tmp_path, accept_licence=True, revision=REVISION[:8], hub=FakeHub()) == folder


def test_a_model_that_its_publisher_gives_out_on_asking_is_told_as_such(monkeypatch):
    import huggingface_hub

    class GatedRepoError(Exception):
        pass

    class Api:
        def model_info(self, *_given, **_named):
            raise GatedRepoError

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    with pytest.raises(HubFailed) as caught:
        HuggingFace().listing("a/b", "main")
    assert "ask its publisher" in caught.value.next_step


def test_a_licence_that_nobody_accepted_stops_a_fetch_and_is_shown_with_the_revision(tmp_path):
    for licence, told in (
        ("apache-2.0", "licence apache-2.0"),
        ("not stated", "nobody has given a permission"),
    ):
        hub = FakeHub(licence=licence)
        with pytest.raises(BadSetting, match=told) as caught:
            fetch(KNOWN, tmp_path, accept_licence=False, hub=hub)
        assert REVISION in str(caught.value)
        assert caught.value.next_step.endswith("psyllm models fetch qwen3-0.6b --accept-licence")
        assert not hub.sent
    assert not (tmp_path / "hub").exists()


def test_what_broke_off_leaves_no_model_and_is_gone_on_with(tmp_path):
    with pytest.raises(HubFailed):
        fetch(KNOWN, tmp_path, accept_licence=True, hub=FakeHub(breaks=2))
    assert not (tmp_path / "hub" / "qwen3-0.6b").exists()
    hub = FakeHub()
    fetch(KNOWN, tmp_path, accept_licence=True, hub=hub)
    assert hub.sent == WANTED[2:]


def test_a_file_that_did_not_arrive_is_told(tmp_path):
    class Forgetful(FakeHub):
        def download(self, repository, revision, names, target):
            super().download(repository, revision, names[:-1], target)

    with pytest.raises(HubFailed, match=r"model\.safetensors did not arrive"):
        fetch(KNOWN, tmp_path, accept_licence=True, hub=Forgetful())


def test_pickles_come_only_where_there_is_nothing_else_and_programs_never(tmp_path):
    only_pickle = {name: content for name, content in FILES.items() if "safetensors" not in name}
    assert wanted_files(dict.fromkeys(only_pickle, 1))[-1] == "pytorch_model.bin"
    with pytest.raises(HubFailed, match="holds no weights"):
        fetch(KNOWN, tmp_path, accept_licence=True, hub=FakeHub({"config.json": b"{}", "own.py": b""}))


def test_what_would_not_fit_is_refused_before_it_comes(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    hub = FakeHub(lie_bytes=free)
    with pytest.raises(DiskFull, match="GiB"):
        fetch(KNOWN, tmp_path, accept_licence=True, hub=hub)
    assert not hub.sent


def test_a_note_that_can_not_be_read_is_told(tmp_path):
    (tmp_path / FETCHED).write_text(json.dumps({"repository": 1}))
    with pytest.raises(BadCheckpoint, match="can't be read"):
        read_fetched(tmp_path)


def test_the_real_hub_is_asked_for_one_revision_and_named_files_only(tmp_path, monkeypatch):
    """The calls that the library would get; it reaches no hub here."""
    import huggingface_hub

    calls = []

    class Api:
        def model_info(self, repository, **named):
            calls.append((repository, named))
            sibling = huggingface_hub.hf_api.RepoSibling(rfilename="config.json", size=2)
            return type(
                "Info", (), {"sha": REVISION, "card_data": {"license": "mit"}, "siblings": [sibling]}
            )()

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda *given, **named: calls.append((*given, named))
    )
    assert HuggingFace().listing("a/b", "main") == Listing(REVISION, "mit", {"config.json": 2})
    HuggingFace().download("a/b", REVISION, ["config.json"], tmp_path)
    assert calls == [
        ("a/b", {"revision": "main", "files_metadata": True}),
        ("a/b", {"revision": REVISION, "allow_patterns": ["config.json"], "local_dir": tmp_path}),
    ]


def test_a_hub_out_of_reach_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    code = (
        "from psyllm.lm.hub import HuggingFace\nfrom psyllm.core.errors import HubFailed\n"
        "try: HuggingFace().listing('a/b','main')\n"
        "except HubFailed as error: assert 'by hand' in error.next_step; print('told')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "told\n"


@pytest.mark.parametrize(
    ("licence", "uses", "said"),
    [
        ("apache-2.0", "any", "apache-2.0"),
        ("cc-by-nc-4.0", "non_commercial", "cc-by-nc-4.0"),
        ("llama3", "unknown", "llama3"),
        ("not stated", "unknown", ""),
    ],
)
def test_a_fetched_model_permits_what_its_licence_does_and_an_unknown_one_nothing(
    licence, uses, said, tmp_path
):
    assert fetched_permit(tmp_path) is None
    folder = fetch(KNOWN, tmp_path, accept_licence=True, hub=FakeHub(licence=licence))
    permit = fetched_permit(folder)
    row = {"source": "base qwen3-0.6b", "licence": said, "uses": uses, "expires": "", "agreement": ""}
    assert permit == (uses, False, "", [row])


def test_of_several_licences_all_are_named(monkeypatch):
    import huggingface_hub

    found = {"sha": REVISION, "card_data": {"license": ["mit", "cc-by-nc-4.0"]}, "siblings": []}

    class Api:
        def model_info(self, *_given, **_named):
            return type("Info", (), found)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert HuggingFace().listing("a/b", "main").licence == "mit AND cc-by-nc-4.0"
