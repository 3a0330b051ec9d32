"""linnet apply: predictions of saved networks against NumPy, and files that are not what they should be."""
import json
import os
import resource
import shutil
import subprocess

from test_train import X0, Y0, close, digits, layers_of, map_score, path, read_h5, save, train

import h5py
import numpy as np

from e2e import PROGRAM, Skip, linnet, linnet_json, main

RNG = np.random.default_rng(99)
NEW = RNG.normal(size=(17, 5)) * 2 + 1


def small():
    return ["--inputs", save("X.npy", X0), "--targets", save("Y.npy", Y0), "--seed", 4, "--lr", 0.01, "--epochs", 3]


def prepared(h5, X):
    """z = A (x - mean), with what is stored."""
    X = X - h5["preparation/mean"] if "preparation/mean" in h5 else X
    return X @ h5["preparation/map"].T if "preparation/map" in h5 else X


def network(h5, X, run=None):
    """Layer by layer, sample by sample."""
    outputs = []
    for z in prepared(h5, X):
        for W in layers_of(h5, run):
            z = W @ z
        outputs.append(z)
    return np.array(outputs)


def predictions(folder, *words, name="prediction.npy"):
    result = linnet_json("apply", folder, *words, "--out", path(name))
    return np.load(path(name)), result


def fails(*words, says=(), code=1):
    """Exactly one line on standard error, nothing on standard output."""
    done = linnet(*words, code=code)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("linnet: ") and not done.stdout, (done.stderr, done.stdout[:200])
    for word in says:
        assert str(word) in lines[0], (word, lines[0])
    return lines[0]


# ---- Predictions ----

def test_all_preparations():
    new = save("new.npy", NEW)
    for extra, layers in (([], "5,4,3"), (["--centre"], "5,3"), (["--pca", 3], "3,6,2,3"), (["--whiten", 4], "4,4,3")):
        _, h5, folder, _ = train(*small(), *extra, "--layers", layers)
        found, result = predictions(folder, "--inputs", new)
        assert found.dtype == np.float64
        close(found, network(h5, NEW), 1e-13, str(extra))
        assert result["applied"] == {"rows": 17, "outputs": 3, "runs": 1}
        assert "classes" not in result["tables"] and "score" not in result["tables"]
        # preparation is that of the rows trained on, not of the new ones: one row alone gives the same
        one, _ = predictions(folder, "--inputs", save("one.npy", NEW[3:4]))
        close(one, found[3:4], 1e-14)


def test_training_rows_give_the_training_loss():
    for extra in ([], ["--whiten", 4], ["--pca", 2], ["--centre"]):
        trained, _, folder, _ = train(*small(), *extra, "--loss", "half")
        found, result = predictions(folder, "--inputs", path("X.npy"), "--targets", path("Y.npy"))
        close(result["tables"]["score"][0]["half_loss"], trained["final"]["loss"], 1e-13)
        close(np.sum((found - Y0) ** 2) / 2 / len(Y0), trained["final"]["loss"], 1e-13)
        assert "accuracy" not in result["tables"]["score"][0]


def test_several_runs():
    new = save("new.npy", NEW)
    _, h5, folder, _ = train(*small(), "--whiten", 4, "--layers", "4,6,3", "--seeds", 3)
    each = np.array([network(h5, NEW, run) for run in range(3)])
    found, result = predictions(folder, "--inputs", new, "--run", "each")
    assert found.shape == (3, 17, 3) and result["applied"]["runs"] == 3
    close(found, each, 1e-13)
    found, result = predictions(folder, "--inputs", new)
    close(found, each.mean(0), 1e-13)
    assert result["parameters"]["run"] == "mean"
    for run in range(3):
        found, result = predictions(folder, "--inputs", new, "--run", run)
        close(found, each[run], 1e-13)
    for run in (3, -1, "1.5", "all", "", "nan"):
        fails("apply", folder, "--inputs", new, "--run", run, code=2, says=["0 to 2"])
    # scores: one row a run; the mean of the predictions is scored, not the mean of the scores
    targets = RNG.normal(size=(17, 3))
    words = ["--inputs", new, "--targets", save("new-y.npy", targets)]
    table = predictions(folder, *words, "--run", "each")[1]["tables"]["score"]
    assert [row["run"] for row in table] == [0, 1, 2]
    close([row["half_loss"] for row in table], [np.sum((f - targets) ** 2) / 34 for f in each], 1e-13)
    table = predictions(folder, *words)[1]["tables"]["score"]
    close([row["half_loss"] for row in table], [np.sum((each.mean(0) - targets) ** 2) / 34], 1e-13)


def test_classes_and_accuracy():
    X, Y = digits()
    trained, h5, folder, _ = train("--data", "digits", "--whiten", 30, "--layers", "30,20,10", "--epochs", 4)
    found, result = predictions(folder, "--data", "digits")
    F = network(h5, X)
    close(found, F, 1e-13)
    counts = np.bincount(F.argmax(1), minlength=10)
    assert result["tables"]["classes"] == [{"class": k, "rows": int(n)} for k, n in enumerate(counts)]
    row, = result["tables"]["score"]
    assert row["accuracy"] == trained["final"]["accuracy"] == np.mean(F.argmax(1) == Y.argmax(1))
    close(row["half_loss"], trained["final"]["loss"], 1e-13)
    # a part of the rows, whose labels do not reach the last class
    part = np.flatnonzero(Y.argmax(1) < 7)[:50]
    words = ["--inputs", save("part.npy", X[part]), "--targets", save("labels.npy", Y[part].argmax(1)), "--one-hot"]
    found, result = predictions(folder, *words)
    close(found, F[part], 1e-13)
    row, = result["tables"]["score"]
    assert row["accuracy"] == np.mean(F[part].argmax(1) == Y[part].argmax(1))
    close(row["half_loss"], map_score(np.eye(10), F[part], Y[part])[0], 1e-13)


def test_types_of_inputs():
    """Bytes, single precision and CSV with a header: the same predictions."""
    X, _ = digits()
    X = X[:40]
    _, h5, folder, _ = train("--data", "digits", "--pca", 12, "--epochs", 1, "--lr", 1e-4)
    expected = network(h5, X)
    table = path("rows.csv")
    with open(table, "w") as file:
        file.write(";".join(f"p{k}" for k in range(64)) + "\r\n")
        file.write("".join(";".join(str(int(v)) for v in row) + "\r\n" for row in X))
    for inputs in (save("bytes.npy", X.astype(np.uint8)), save("single.npy", X.astype(">f4")), table):
        close(predictions(folder, "--inputs", inputs)[0], expected, 1e-13, inputs)


def test_csv_output():
    _, h5, folder, _ = train(*small(), "--whiten", 5)
    new = save("new.npy", NEW)
    as_npy, _ = predictions(folder, "--inputs", new)
    linnet("apply", folder, "--inputs", new, "--out", path("prediction.csv"))
    assert np.array_equal(np.loadtxt(path("prediction.csv"), delimiter=","), as_npy)  # shortest decimals read back
    # and the program reads its own output
    again = linnet_json("apply", folder, "--inputs", new, "--targets", path("prediction.csv"))
    assert again["tables"]["score"][0]["half_loss"] < 1e-28


def test_several_runs_do_not_fit_csv():
    _, _, folder, _ = train(*small(), "--seeds", 2)
    done = linnet("apply", folder, "--inputs", save("new.npy", NEW), "--run", "each", "--out", path("each.csv"), code=2)
    assert ".npy" in done.stderr and not os.path.exists(path("each.csv"))


def test_does_not_depend_on_threads():
    _, _, folder, _ = train("--data", "digits", "--whiten", 20, "--epochs", 1, "--seeds", 2)
    content = []
    for threads in (1, 2, 3):
        predictions(folder, "--data", "digits", "--run", "each", "--threads", threads, name=f"threads-{threads}.npy")
        with open(path(f"threads-{threads}.npy"), "rb") as file:
            content.append(file.read())
    assert content[0] == content[1] == content[2]


def test_run_yaml_is_enough_to_get_the_model_back():
    """A result made again from its run.yaml predicts the same."""
    _, _, folder, _ = train(*small(), "--whiten", 3, "--layers", "3,5,3")
    linnet("run", os.path.join(folder, "run.yaml"), "--out", path("repeated"), "--no-figure")
    new = save("new.npy", NEW)
    assert np.array_equal(predictions(folder, "--inputs", new)[0], predictions(path("repeated"), "--inputs", new)[0])


# ---- What does not fit ----

def test_wrong_shapes():
    _, _, folder, _ = train(*small(), "--whiten", 3)
    fails("apply", folder, "--inputs", save("wide.npy", RNG.normal(size=(4, 6))), says=[6, 5])
    fails("apply", folder, "--inputs", save("line.npy", RNG.normal(size=4)), says=[1, 5])
    fails("apply", folder, "--data", "digits", says=[64, 5])
    new = save("new.npy", NEW)
    fails("apply", folder, "--inputs", new, "--targets", save("short.npy", np.zeros((16, 3))), says=[16, 17])
    fails("apply", folder, "--inputs", new, "--targets", save("many.npy", np.zeros((17, 4))), says=[4, 3])
    fails("apply", folder, "--inputs", new, "--targets", save("many.npy", np.arange(17)), "--one-hot", says=[17, 3])
    broken = NEW.copy()
    broken[8, 2] = np.nan
    fails("apply", folder, "--inputs", save("nan.npy", broken), says=["row 9", "column 3"])
    fails("apply", folder, code=2)
    fails("apply", code=2)
    fails("apply", folder, "--inputs", path("absent.npy"), says=["absent.npy"])


def test_missing_folders():
    new = save("new.npy", NEW)
    fails("apply", path("nowhere"), "--inputs", new, says=["nowhere"])
    os.makedirs(path("empty"), exist_ok=True)
    fails("apply", path("empty"), "--inputs", new, says=["empty"])
    fails("apply", new, "--inputs", new)


def damaged_copy(folder, name):
    shutil.rmtree(path(name), ignore_errors=True)
    shutil.copytree(folder, path(name))
    return os.path.join(path(name), "result.h5")


def test_damaged_results():
    """Truncated anywhere, bytes overwritten anywhere, no HDF5 at all: one line, or the right answer; never a crash."""
    _, _, folder, _ = train(*small(), "--whiten", 4)
    new = save("new.npy", NEW)
    with open(os.path.join(folder, "result.h5"), "rb") as file:
        good = file.read()
    expected = predictions(folder, "--inputs", new)[0]
    file = damaged_copy(folder, "damaged")

    def write(content):
        with open(file, "wb") as out:
            out.write(content)

    for content in (b"", b"\x89HDF\r\n\x1a\n", RNG.bytes(len(good)), b"text\n" * 100, good[:8] + RNG.bytes(len(good) - 8)):
        write(content)
        fails("apply", path("damaged"), "--inputs", new, says=["result.h5"])
    for share in (0.01, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999):
        write(good[:int(share * len(good))])
        fails("apply", path("damaged"), "--inputs", new, says=["result.h5"])
    survived = 0
    for trial in range(40):
        rng = np.random.default_rng(trial)
        content = bytearray(good)
        for _ in range(1 + trial % 4 * 20):
            content[rng.integers(len(good))] = rng.integers(256)
        write(content)
        done = subprocess.run([PROGRAM, "apply", path("damaged"), "--inputs", new, "--out", path("damaged.npy")],
                              capture_output=True, text=True, errors="replace")
        assert done.returncode in (0, 1), (trial, done.returncode, done.stderr)
        if done.returncode:
            assert len(done.stderr.splitlines()) == 1, (trial, done.stderr)
        else:
            survived += 1
            assert np.load(path("damaged.npy")).shape == expected.shape
    assert survived < 40


def test_foreign_hdf5():
    """HDF5 files that somebody else wrote."""
    _, _, folder, _ = train(*small(), "--whiten", 5, "--layers", "5,6,3")
    new = save("new.npy", NEW)
    weights = {name: value for name, value in read_h5(folder).items() if name.split("/")[0] in ("weights", "preparation")}

    def write(name, changes, attributes=True):
        file = damaged_copy(folder, name)
        with h5py.File(file, "w") as out:
            if attributes:
                for key, value in (("command", "train"), ("version", "0.1.0"), ("schema", "1")):
                    out.attrs[key] = np.bytes_(value)
            for key, value in dict(weights, **changes).items():
                if value is not None:
                    out[key] = value
        return path(name)

    # the same content written by h5py is a model
    good = write("rewritten", {})
    assert np.array_equal(predictions(good, "--inputs", new)[0], predictions(folder, "--inputs", new)[0])
    rows = {
        "no-weights": {key: None for key in weights if key.startswith("weights")},
        "no-first": {"weights/1": None},
        "nothing": {key: None for key in weights},
        "misfit": {"weights/2": np.zeros((3, 7))},
        "misfit-map": {"preparation/map": np.zeros((3, 5))},
        "misfit-mean": {"preparation/mean": np.zeros(6)},
        "flat": {"weights/1": np.zeros(30)},
        "runs-differ": {"weights/1": np.zeros((2, 6, 5)), "weights/2": np.zeros((3, 3, 6))},
        "rank-four": {"weights/1": np.zeros((1, 1, 6, 5))},
        # the preparation says whitening: without mean or map the predictions would be wrong
        "no-mean": {"preparation/mean": None},
        "words-mean": {"preparation/mean": np.array([b"a"])},
        "no-preparation": {"preparation/mean": None, "preparation/map": None},
        "empty": {"weights/1": np.zeros((0, 5)), "weights/2": np.zeros((3, 0))},
        "no-runs": {"weights/1": np.zeros((0, 6, 5)), "weights/2": np.zeros((0, 3, 6))},
        "words": {"weights/1": np.array([[b"a", b"b"]])},
        "words-map": {"preparation/map": np.array([b"a"])},
        "scalar": {"weights/1": 1.0},
        "nan-weights": {"weights/1": np.full((6, 5), np.nan)},
        "nan-map": {"preparation/map": np.full((5, 5), np.inf)},
    }
    accepted = []
    for name, changes in rows.items():
        try:
            fails("apply", write(name, changes), "--inputs", new)
        except AssertionError as error:
            accepted.append(f"{name}: {error}")
    assert not accepted, "\n".join(accepted)
    linnet("apply", write("no-attributes", {}, attributes=False), "--inputs", new)  # nothing that it needs is missing


def test_huge_promises():
    """An HDF5 file of a few kilobytes that promises terabytes of weights."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    if subprocess.run([PROGRAM, "version"], capture_output=True, preexec_fn=limit).returncode:
        raise Skip("the program does not start with 4 GB of addresses")
    _, _, folder, _ = train(*small())
    file, new = damaged_copy(folder, "huge"), save("new.npy", NEW)
    for shape in ((2 ** 20, 2 ** 21), (2 ** 33, 1), (2 ** 16, 2 ** 14)):
        with h5py.File(file, "w") as out:
            out.attrs["command"] = np.bytes_("train")
            out.create_dataset("weights/1", shape=shape, dtype="f8", chunks=(1, 1) if min(shape) == 1 else (1, 1024))
        # with little memory, so that a test of this does not take all there is
        done = subprocess.run([PROGRAM, "apply", path("huge"), "--inputs", new], capture_output=True, text=True, timeout=30,
                              preexec_fn=limit)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, (shape, done)


def test_output_is_safe():
    """A name that cannot be written costs nothing: the numbers are printed, exit 1."""
    _, h5, folder, _ = train(*small())
    new = save("new.npy", NEW)
    os.makedirs(path("a-folder"), exist_ok=True)
    for out in (path("no/such/folder/p.npy"), path("a-folder")):
        done = linnet("apply", folder, "--inputs", new, "--out", out, "--json", code=1)
        assert done.stderr.startswith("linnet: ") and out in done.stderr
        assert json.loads(done.stdout)["applied"]["rows"] == 17


def test_inputs_and_model_are_not_overwritten():
    _, _, folder, _ = train(*small())
    new = save("mine.npy", NEW)
    for out in (new, f"{folder}/result.h5", f"{folder}/../{os.path.basename(folder)}/result.h5"):
        before = open(out, "rb").read()
        done = linnet("apply", folder, "--inputs", new, "--out", out, code=1)
        assert "would overwrite" in done.stderr and not done.stdout
        linnet("apply", folder, "--inputs", new, "--out", out, "--force", code=1)
        assert open(out, "rb").read() == before


def test_predictions_are_not_lost():
    """Where --out cannot be written, or is not given, the predictions themselves must come out somewhere."""
    _, h5, folder, _ = train(*small())
    done = linnet("apply", folder, "--inputs", save("new.npy", NEW), "--out", path("no/such/folder/p.npy"), code=1)
    first = network(h5, NEW)[0, 0]
    assert f"{first:.3g}"[:4] in done.stdout, "said to be printed instead of saved, but no prediction is printed"


if __name__ == "__main__":
    main(globals())
