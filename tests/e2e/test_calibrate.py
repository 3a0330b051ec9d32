"""linnet sample calibrate: histograms, chi^2, p and bands recomputed from the ranks by NumPy and SciPy; the linear model
against ranks of its exact posterior; what must fail fails; formats, Ctrl-C, bad inputs."""
import json
import signal
import subprocess
import time

from test_outputs import one_line, schema, valid
from test_train import path, read_h5

import numpy as np
from scipy import stats

from e2e import PROGRAM, linnet, linnet_json, main

METHODS, QUANTITIES = ["nuts", "laplace", "precision"], ["output", "weights", "likelihood"]
LINEAR = ["sample", "calibrate", "--hidden", 0]


def run(*words, code=0, name="calibrate"):
    done = linnet("sample", "calibrate", *words, "--json", "--no-figure", "--force", "--out", path(name), code=code)
    return json.loads(done.stdout), read_h5(path(name))


def check_numbers(result, h5):
    """All that the record says follows from the ranks."""
    o, series = result["parameters"], result["series"]["histogram"]
    bins = min(o["bins"], o["draws"] + 1)
    runs = result["sampler"]["runs"]
    share = np.bincount(np.arange(o["draws"] + 1) * bins // (o["draws"] + 1)) / (o["draws"] + 1)
    table = {(row["method"], row["quantity"]): row for row in result["tables"]["calibration"]}
    assert set(table) == {(m, q) for m in METHODS for q in QUANTITIES}
    for (method, quantity), row in table.items():
        ranks = h5[f"ranks/{method}/{quantity}"]
        assert len(ranks) == runs and ranks.min() >= 0 and ranks.max() <= o["draws"] and (ranks == ranks.round()).all()
        count = np.bincount((ranks * bins // (o["draws"] + 1)).astype(int), minlength=bins)
        assert (count == series[method][quantity]).all()
        chi2, p = stats.chisquare(count, runs * share)
        assert abs(row["chi2"] / chi2 - 1) < 1e-12 and abs(row["p"] - p) < 1e-12
        assert row["verdict"] == ("calibrated" if p > .001 else "not calibrated")
    assert np.allclose(series["band"]["expected"], runs * share, rtol=1e-12)
    assert (series["band"]["low"] == stats.binom.ppf(.005, runs, share)).all()
    assert (series["band"]["high"] == stats.binom.ppf(.995, runs, share)).all()
    holds = [table[m, q]["p"] > .001 for m in METHODS[:2 if o["hidden"] == [0] else 1] for q in QUANTITIES]
    holds.append(min(table["precision", q]["p"] for q in QUANTITIES) <= .001)
    assert [row["holds"] for row in result["checks"]] == holds
    return table


def test_networks():
    result, h5 = run("--hidden", 2, "--runs", 100, "--bins", 10, "--seed", 3)
    check_numbers(result, h5)
    assert result["network"] == {"weights": 7, "samples": 10} and h5["inputs"].shape == (10, 1)
    assert result["sampler"]["dependent_runs"] == 0 and result["precision"]["widening"] > 10


def test_linear_model_and_odd_bins():
    """Draws and bins that do not divide, several inputs."""
    result, h5 = run("--hidden", 0, "--inputs-dim", 3, "--runs", 300, "--draws", 60, "--bins", 7, "--alpha", 2, "--noise-sd", .5,
                     "--samples", 5)
    table = check_numbers(result, h5)
    assert all(row["holds"] for row in result["checks"]) and result["network"]["weights"] == 4
    assert min(table["laplace", q]["p"] for q in QUANTITIES) > .001


def test_spread_is_caught():
    result, h5 = run("--hidden", 0, "--runs", 400, "--spread", 1.5, "--warmup", 100, code=3)
    table = check_numbers(result, h5)
    assert table["laplace", "output"]["p"] < 1e-3 < table["nuts", "output"]["p"]
    # draws too wide: the truth is seldom at an end
    assert (np.abs(h5["ranks/laplace/output"] - 49.5) > 45).mean() < .05


def test_precision_near_one_is_no_failure():
    """Data that say nothing, alpha = 1: A is 1, and its inverse too."""
    result = linnet_json(*LINEAR, "--noise-sd", 100, "--runs", 200, "--warmup", 50)
    assert abs(result["precision"]["widening"] - 1) < .01 and len(result["checks"]) == 6


def test_too_few_runs_have_no_verdict():
    result = linnet_json(*LINEAR, "--runs", 10, "--warmup", 50)
    assert not result["checks"] and any("too few" in warning for warning in result["warnings"])


def test_formats():
    words = [*LINEAR, "--runs", 20, "--bins", 4, "--warmup", 50]
    valid(schema(), words)
    lines = linnet(*words, "--csv", "calibration").stdout.splitlines()
    assert lines[0] == "method,quantity,chi2,p,verdict" and len(lines) == 10
    assert linnet(*words, "--threads", 1).stdout == linnet(*words, "--threads", 3).stdout
    linnet(*words, "--out", path("figure"))
    assert b"NUTS" in open(path("figure") + "/figure-calibration-linear.svg", "rb").read()


def test_thinning_that_is_not_enough():
    result = linnet_json(*LINEAR, "--runs", 20, "--bins", 4, "--warmup", 50, "--most-thinning", 1)
    assert result["sampler"]["dependent_runs"] > 0 and any("--most-thinning" in warning for warning in result["warnings"])


def test_interrupt():
    """Exit 130; the runs that are finished are kept."""
    for wait in (1, 3, 10):
        words = [PROGRAM, "sample", "calibrate", "--runs", "100000", "--json", "--quiet"]
        running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(wait)
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(timeout=60)
        assert running.returncode == 130, (running.returncode, errors)
        result = json.loads(out)
        assert result["interrupted"] and any("interrupted" in warning for warning in result["warnings"])
        if result["tables"]:
            break
    counts = result["series"]["histogram"]["nuts"]["output"]
    assert 0 < sum(counts) == result["sampler"]["runs"] < 100000


def test_bad_inputs():
    for words, code, says in ((["--runs", 0], 2, ["runs"]), (["--bins", 1], 2, ["bins"]), (["--bins", 1000], 2, ["bins"]),
                              (["--noise-sd", 0], 2, ["noise-sd"]), (["--alpha", "nan"], 2, ["alpha"]),
                              (["--hidden", "2,0"], 2, ["--hidden 0"]), (["--hidden", 700], 2, ["2101 weights"]),
                              (["--target", 1], 2, ["target"]), (["--activation", "sine"], 2, ["sine"])):
        one_line(["sample", "calibrate", *words], code, says)


main(globals())
