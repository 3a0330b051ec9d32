"""The report: experiments, kept results, verdicts that can turn red, and a page that stands alone."""
import html.parser
import json
import os
import re
import shutil
import subprocess

from browser import Browser
from e2e import BUILD, SCRATCH, SOURCE, Skip, linnet, linnet_json, main

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
    assert page.svgs >= 1 and not re.search(r"<script[^>]|@import|https?:(?!//www.w3.org/)|//cdn", text)
    # images of matrices are in the page itself; links that lead away from it are to files beside it
    inside = [link for link in page.links if not link.startswith("data:image/png;base64,")]
    beside = [link for link in inside if not link.startswith("#")]
    assert all(os.path.exists(os.path.join(OUT, link)) for link in beside), beside
    inside = [link for link in inside if link.startswith("#")]
    assert all(link[1:] in page.ids for link in inside)
    assert len(page.ids) == len(set(page.ids)), "identifiers are not unique"


def test_page_in_a_browser():
    """No errors and no requests, everything drawn, formulas laid out, nothing wider than a phone but what scrolls in
    a box of its own; values under the pointer and by the keys; dark; on paper."""
    with Browser(f"file://{OUT}/index.html") as page:
        charts = page.evaluate("document.querySelectorAll('svg.chart').length")
        assert charts > 40
        drawn = "[...document.querySelectorAll('svg.chart')].every(s => s.getBoundingClientRect().height > 100 && s.querySelector('path'))"
        assert page.evaluate(drawn)
        formulas = "[...document.querySelectorAll('math')].map(m => m.getBoundingClientRect().height)"
        assert len(page.evaluate(formulas)) > 20 and min(page.evaluate(formulas)) > 10
        for width in (400, 1000):
            page.resize(width, 900)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, width
            assert page.evaluate("""[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide') &&
                e.getBoundingClientRect().right > innerWidth + 1).length""") == 0
        # every chart with curves says something somewhere
        silent = page.evaluate("""[...document.querySelectorAll('svg.chart')].filter(s => {
            const panels = JSON.parse(s.querySelector('metadata').textContent);
            if (panels.every(p => p.curves.every(c => c === null))) return false;
            s.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));
            return document.querySelector('output.value').hidden;
        }).map(s => s.closest('section').id)""")
        assert silent == [], silent
        # the value is that of the record: the last point of the first curve of the exercise
        x, y = page.evaluate("""(() => {
            const s = document.querySelector('#exercise svg.chart');
            s.scrollIntoView({block: 'center'});
            const box = JSON.parse(s.querySelector('metadata').textContent)[0].box;
            const at = new DOMPoint(box[2] - 1, box[1] + 40).matrixTransform(s.getScreenCTM());
            return [at.x, at.y]; })()""")
        page.move(x, y)
        said = page.evaluate("document.querySelector('output.value').textContent")
        match = re.fullmatch(r"(.*): x ([\d.]+), y ([\d.]+)", said)
        assert match and match[1] == "descent, mode 1" and abs(float(match[3]) - 7 ** 0.5) < 3e-3, said
        page.evaluate("document.querySelector('#exercise svg.chart').focus()")
        page.press("ArrowLeft")
        stepped = page.evaluate("document.querySelector('output.value').textContent")
        assert stepped != said and stepped.startswith("descent, mode 1"), stepped
        page.press("Escape")
        assert page.evaluate("document.querySelector('output.value').hidden")
        page.resize(1000, 900, dark=True)
        ink, paper = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
        assert sum(map(int, re.findall(r"\d+", ink)[:3])) > sum(map(int, re.findall(r"\d+", paper)[:3])) + 300
        page.print_to(f"{SCRATCH}/report.pdf")
        assert open(f"{SCRATCH}/report.pdf", "rb").read(5) == b"%PDF-" and os.path.getsize(f"{SCRATCH}/report.pdf") > 2e5
        assert page.errors == [], page.errors


def test_page_without_its_script():
    with Browser("about:blank") as page:
        page.call("Emulation.setScriptExecutionDisabled", value=True)
        page.call("Page.navigate", url=f"file://{OUT}/index.html")
        while page.events.count("Page.loadEventFired") < 2:
            page.receive()
        root = page.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        for selector in ("svg.chart", "math", ".pass", "#errata table", "#deviations tr"):
            assert page.call("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"], selector


def sections(text):
    return dict(re.findall(r'<section id="(.*?)">(.*?)</section>', re.sub(r"<svg.*?</svg>", "", text, flags=re.S), re.S))


def test_page_is_complete():
    """For each experiment a question, a finding without gaps, and a caption below each figure, with links to files that
    are there; deviations of all with a verdict or the word that there is none; errata with their tests."""
    text = open(f"{OUT}/index.html").read()
    parts = sections(text)
    names = [r["name"] for r in linnet_json("reproduce", "--list")["tables"]["experiments"]]
    assert set(names) | {"deviations", "errata", "made"} == set(parts)
    for name in names:
        if "Not run" in parts[name]:
            continue
        found = re.search(r'<p class="found">(.*?)</p>', parts[name], re.S)[1]
        assert "?" not in re.sub("“.*?”", "", found), (name, found)
        figures = re.findall(r"<figure>.*?</figure>", parts[name], re.S)
        assert len(figures) == len([f for f in os.listdir(f"{OUT}/{name}") if f.endswith(".gp")]), name
        for figure in figures:
            assert len(re.search(r"<figcaption>(.*?)<", figure)[1]) > 20
            files = re.findall(r'href="(.*?)"', figure)
            assert len(files) == 3 and all(os.path.getsize(os.path.join(OUT, f)) > 500 for f in files), files
    rows = re.findall(r"<tr><td>.*?</tr>", parts["deviations"], re.S)
    assert len(rows) > 150 and all(re.search(r'class="(pass|fail)"|not covered by a tolerance', row) for row in rows)
    tests = set(re.findall(r"`(test_\w+)`", open(f"{SOURCE}/docs/errata.md").read()))
    assert tests and tests == set(re.findall(r"<code>(test_\w+)</code>", parts["errata"]))
    lines = [line for line in open(f"{SOURCE}/docs/errata.md") if re.match(r"\| \d", line)]
    assert len(lines) == len(re.findall(r"<tr><td>\d+</td>", parts["errata"]))


def test_a_wrong_formula_turns_its_experiments_red():
    """A program that is linked with wrong closed forms, tests/unit/wrong_theory.c: exit 3, the experiments that rest on
    them fail, others hold, and the page says so."""
    program, folder = os.path.join(BUILD, "tests", "wrong_theory"), f"{SCRATCH}/wrong"
    wrong = ["exercise", "exercise-depths", "illusory", "discrete", "regression-dense", "recovery"]
    names = wrong + ["exercise-phase", "match-global"]
    done = subprocess.run([program, "reproduce", ",".join(names), "--out", folder, "--json", "--no-figure"], text=True,
                          capture_output=True, env=dict(os.environ, **NO_DATA))
    assert done.returncode == 3, done.stderr
    verdicts = {r["name"]: r["verdict"] for r in json.loads(done.stdout)["tables"]["experiments"]}
    assert verdicts == {name: "FAILS" if name in wrong else "holds" for name in names}, verdicts
    parts = sections(open(f"{folder}/index.html").read())
    for name in names:
        assert bool(re.search("checks? fails?: ", parts[name])) == (verdicts[name] == "FAILS"), name
    assert '<span class="fail">fails</span>' in parts["deviations"]


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
