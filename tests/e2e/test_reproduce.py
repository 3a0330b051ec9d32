"""The report: experiments, kept results, verdicts that can turn red, and a page that stands alone."""
import html.parser
import json
import os
import re
import shutil
import subprocess

from e2e import SCRATCH, SOURCE, Skip, linnet, linnet_json, main

NO_DATA = {"LINNET_DATA": "", "HOME": SCRATCH}
OUT = os.path.join(SCRATCH, "report")


def test_list_names_every_experiment():
    rows = linnet_json("reproduce", "--list")["tables"]["experiments"]
    assert {"notebook-digits", "notebook-mnist"} <= {r["name"] for r in rows}
    assert not os.path.exists(os.path.join(SCRATCH, "report"))


def test_quick_run_holds_and_says_what_is_missing():
    result = linnet_json("reproduce", "--quick", "--out", OUT, env=NO_DATA)
    rows = {r["name"]: r for r in result["tables"]["experiments"]}
    assert rows["notebook-digits"]["verdict"] == "holds" and rows["notebook-digits"]["status"] == "run"
    assert rows["notebook-mnist"]["status"] == "skipped"
    assert any("get-mnist" in w for w in result["warnings"])
    assert os.listdir(f"{OUT}/notebook-digits") and not os.path.exists(f"{OUT}/notebook-mnist")


def test_finished_experiments_are_kept_and_forced_ones_repeated():
    before = os.stat(f"{OUT}/notebook-digits/result.h5").st_ino
    page = open(f"{OUT}/index.html").read()
    rows = linnet_json("reproduce", "--out", OUT, env=NO_DATA)["tables"]["experiments"]
    assert rows[0]["status"] == "kept" and os.stat(f"{OUT}/notebook-digits/result.h5").st_ino == before
    assert open(f"{OUT}/index.html").read() == page
    bytes_before = open(f"{OUT}/notebook-digits/result.h5", "rb").read()
    rows = linnet_json("reproduce", "notebook-digits", "--force", "--out", OUT, env=NO_DATA)["tables"]["experiments"]
    assert rows[0]["status"] == "run" and open(f"{OUT}/notebook-digits/result.h5", "rb").read() == bytes_before
    # another seed or size: the old results do not serve, and are not replaced without being told to
    for other in (["--seed", 5], ["--full"]):
        done = linnet("reproduce", "notebook-digits", *other, "--out", OUT, code=1, env=NO_DATA)
        assert "--force" in done.stderr and done.stderr.count("\n") == 1
        assert open(f"{OUT}/notebook-digits/result.h5", "rb").read() == bytes_before
    rows = linnet_json("reproduce", "notebook-digits", "--seed", 5, "--out", f"{SCRATCH}/seed5", env=NO_DATA)["tables"]["experiments"]
    assert rows[0]["status"] == "run" and rows[0]["verdict"] == "holds"


def test_damaged_results_are_made_again():
    folder = f"{SCRATCH}/damaged"
    shutil.copytree(OUT, folder)
    with open(f"{folder}/notebook-digits/result.h5", "r+b") as f:
        f.truncate(1000)
    rows = linnet_json("reproduce", "--out", folder, env=NO_DATA)["tables"]["experiments"]
    assert rows[0]["status"] == "run" and rows[0]["verdict"] == "holds"


def test_a_wrong_number_turns_the_verdict():
    """Results in which one check was tampered with are not believed: exit 3, the name of the check, red on the page."""
    try:
        import h5py
    except ImportError:
        raise Skip("python3-h5py is not installed")
    folder = f"{SCRATCH}/tampered"
    shutil.copytree(OUT, folder)
    with h5py.File(f"{folder}/notebook-digits/result.h5", "r+") as f:
        f["checks/holds"][3] = 0
    done = linnet("reproduce", "--out", folder, "--json", code=3, env=NO_DATA)
    result = json.loads(done.stdout)
    assert result["tables"]["experiments"][0]["verdict"] == "FAILS"
    assert any("optimum of all rows, loss" in w for w in result["warnings"])
    assert 'class="fail"' in open(f"{folder}/index.html").read()


def test_json_fits_the_schema():
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed")
    schema = json.load(open(os.path.join(SOURCE, "docs", "schema.json")))
    for words in (["reproduce", "--list"], ["reproduce", "--out", OUT]):
        jsonschema.validate(linnet_json(*words, env=NO_DATA), schema)


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.stack, self.ids, self.links, self.svgs = [], [], [], 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.svgs += tag == "svg"
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("href", "src", "xlink:href"):
            if name in attributes:
                self.links.append(attributes[name])


def test_page_stands_alone():
    text = open(f"{OUT}/index.html").read()
    page = Page()
    page.feed(text)
    assert page.svgs >= 1 and not re.search(r"<script|@import", text)
    # images of matrices are in the page itself
    inside = [link for link in page.links if not link.startswith("data:image/png;base64,")]
    assert all(link.startswith("#") for link in inside), [link[:80] for link in inside]
    assert all(link[1:] in page.ids for link in inside)
    assert len(page.ids) == len(set(page.ids)), "identifiers are not unique"


def test_page_in_a_browser():
    chromium = shutil.which("chromium")
    if not chromium:
        raise Skip("chromium is not installed")
    done = subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                           "--disable-background-networking", "--disable-component-update", "--disable-sync",
                           f"--user-data-dir={SCRATCH}/chromium", "--window-size=400,900", "--virtual-time-budget=2000",
                           "--dump-dom", f"file://{OUT}/index.html"], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0 and "</svg>" in done.stdout, done.stderr[-500:]


def test_wrong_names_and_contradictions():
    done = linnet("reproduce", "nothing", "--out", OUT, code=2)
    assert "notebook-digits" in done.stderr
    linnet("reproduce", "--quick", "--full", "--out", OUT, code=2)


def test_figures_can_be_left_out_and_missing_ones_are_reported():
    folder = f"{SCRATCH}/no-figure"
    linnet("reproduce", "notebook-digits", "--no-figure", "--out", folder, env=NO_DATA)
    assert not [n for n in os.listdir(f"{folder}/notebook-digits") if n.startswith("figure")]
    result = linnet_json("reproduce", "notebook-digits", "--out", folder, env=NO_DATA)
    assert result["tables"]["experiments"][0]["status"] == "kept"
    assert any("gnuplot" in w for w in result["warnings"]), result["warnings"]


def test_run_file_of_an_experiment_repeats_it():
    again = f"{SCRATCH}/again"
    linnet("run", f"{OUT}/notebook-digits/run.yaml", "--out", again, env=NO_DATA)
    first, second = (open(f"{d}/notebook-digits/result.h5", "rb").read() for d in (OUT, again))
    assert first == second


main(globals())
