"""linnet regress recovery against SciPy's linear programming on the same problems, the boundary and the finite-size
theory against their definitions; formats, and bad inputs."""
import json
import os

from test_outputs import content, one_line, schema, valid
from test_train import Stream, path, read_h5

import numpy as np
from scipy.optimize import linprog, minimize_scalar
from scipy.stats import norm

from e2e import linnet, linnet_json, main

TASK = 6  # purpose of the stream
SMALL = ["regress", "recovery", "--features", 16, "--grid", 4, "--runs", 3]


def basis_pursuit(X, y):
    """min |w|_1 subject to X'w = y, w = p - m."""
    D = len(X)
    done = linprog(np.ones(2 * D), A_eq=np.hstack([X.T, -X.T]), b_eq=y, method="highs")
    assert done.status == 0, done.message
    return done.x[:D] - done.x[D:]


def test_success_is_that_of_linear_programming():
    D, grid, runs = 16, 4, 3
    linnet(*SMALL, "--seed", 5, "--out", path("small"), "--no-figure")
    h5 = read_h5(path("small"))
    size = [int(np.floor(D * (i + 0.5) / grid + 0.5)) for i in range(grid)]
    expected = np.zeros((grid, grid))
    for row, d in enumerate(size):
        for column, n in enumerate(size):
            for run in range(runs):
                stream = Stream(5, (run * grid + row) * grid + column, TASK)
                X = stream.matrix(D, n)
                T = np.array([stream.normal() for _ in range(d)] + [0] * (D - d))
                w = basis_pursuit(X, X.T @ T)
                expected[row, column] += np.linalg.norm(w - T) < 1e-6 * np.linalg.norm(T)
    assert 0 < expected.sum() < runs * grid ** 2
    assert np.array_equal(h5["success"], expected / runs), h5["success"]
    assert np.array_equal(h5["grid/samples"], np.array(size) / D) and np.array_equal(h5["grid/density"], h5["grid/samples"])


def risk(z, eps):
    return eps * (1 + z * z) + (1 - eps) * 2 * ((1 + z * z) * norm.cdf(-z) - z * norm.pdf(z))


def test_boundary_is_that_of_donoho_and_tanner():
    series = linnet_json(*SMALL)["series"]
    assert series["samples"][0] == series["boundary"][0] == 0 and series["samples"][-1] == series["boundary"][-1] == 1
    for delta, eps in list(zip(series["samples"], series["boundary"]))[5:-1:13]:
        best = minimize_scalar(risk, (0.1, 2), args=(eps,), options={"xtol": 1e-10}).fun
        assert abs(best - delta) < 1e-9, (delta, eps, best)


def test_half_recovered_at_the_boundary():
    """D = 120: every 50 % point within 4 of its standard errors of the finite-size theory, their mean shift and the
    mean success within 3.5: a seed in a few hundred would fail by chance."""
    result = linnet_json("regress", "recovery", "--features", 120, "--grid", 12, "--runs", 20)
    assert not result["warnings"] and result["problems"]["solved"] == 12 * 12 * 20
    assert result["certificate"]["largest_relative_gap"] < 1e-9
    crossings = [row for row in result["tables"]["crossing"] if row["found"] is not None]
    assert len(crossings) > 7
    for row in crossings:
        assert abs(row["found"] - row["at_this_size"]) < 4 * row["standard_error"], row
        assert row["standard_error"] < 0.06 and row["at_this_size"] > row["boundary"]
    deviations = {row["name"]: row for row in result["deviations"]}
    assert len(deviations) == len(crossings) + 2
    for name in ("success, mean of all cells", "entries beyond the boundary at 50 %"):
        assert deviations[name]["sigmas"] < 3.5, deviations[name]
    for row in crossings:
        found = deviations[f"50 % of recoveries at n/D = {row['samples']:.4g}"]
        assert found["simulated"] == row["found"] and found["predicted"] == row["boundary"]
    cells = result["tables"]["grid"]
    chi2 = sum((c["success"] - c["predicted"]) ** 2 / (c["predicted"] * (1 - c["predicted"]) / 20)
               for c in cells if 0.05 < c["predicted"] < 0.95)
    count = sum(0.05 < c["predicted"] < 0.95 for c in cells)
    assert chi2 < count + 5 * np.sqrt(2 * count), (chi2, count)
    assert all(c["success"] == 0 for c in cells if c["nonzero"] > c["n"])


def test_more_runs_keep_the_problems_of_fewer():
    few, many = linnet_json(*SMALL), linnet_json(*SMALL[:-1], 5)
    for a, b in zip(few["tables"]["grid"], many["tables"]["grid"]):
        assert round(3 * a["success"]) <= round(5 * b["success"]) <= round(3 * a["success"]) + 2


def test_json_follows_the_schema():
    validator = schema()
    for words in (SMALL, ["regress", "recovery", "--features", 2, "--grid", 1, "--runs", 1],
                  ["regress", "recovery", "--features", 2, "--grid", 2, "--runs", 2], [*SMALL, "--out", path("json")]):
        result = valid(validator, words)
        assert result["command"] == "regress recovery" and not result["interrupted"]
        assert not any("not finite" in w for w in result["warnings"]), result["warnings"]


def test_runs_repeat_byte_for_byte():
    first, second = path("first"), path("second")
    linnet(*SMALL, "--out", first, "--threads", 1)
    linnet("run", os.path.join(first, "run.yaml"), "--out", second, "--threads", 3)
    a, b = content(first), content(second)
    assert set(a) == set(b) and all(a[name] == b[name] for name in ("result.h5", "run.yaml", "figure-recovery.dat"))
    assert b"boundary of recovery" in a["figure-recovery.svg"] and b"half recovered" in a["figure-recovery.svg"]


def test_tables_as_csv():
    assert linnet(*SMALL, "--csv", "grid").stdout.count("\n") == 17
    header = linnet(*SMALL, "--csv", "crossing").stdout.split("\n")[0]
    assert header == "samples,boundary,at_this_size,width,found,standard_error"


def test_bad_inputs_give_one_line():
    for words, says in ((["--grid", 0], ["--grid", "1 to 1000"]), (["--features", 1], ["--features", "2 to"]),
                        (["--runs", 0], ["--runs", "1 to"]), (["--features", 5, "--grid", 6], ["--grid 6", "at most 5"]),
                        (["--features", 1000, "--grid", 1000, "--runs", 10000], ["--grid 1000", "--runs 10000"]),
                        (["--tolerance", 0], ["--tolerance"]), (["--features", "many"], ["--features"])):
        one_line(["regress", "recovery", *words], 2, says)


if __name__ == "__main__":
    main(globals())
