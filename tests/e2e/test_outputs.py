"""What commands print and leave behind: JSON against the schema, CSV, HDF5, run.yaml, figures; and what happens when
something goes wrong: full disks, hostile names, bad data, bad usage, Ctrl-C."""
import csv
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree as xml

from test_train import C0, X0, Y0, close, digits, layers_of, map_score, numpy_whiten, path, read_h5, save, train

import h5py
import numpy as np

from e2e import PROGRAM, SCRATCH, SOURCE, Skip, linnet, main

try:
    import jsonschema
except ImportError:
    jsonschema = None

DIGITS = ["train", "--data", "digits", "--whiten", 8, "--epochs", 2]
FIGURE = ["figure-training." + kind for kind in ("svg", "pdf", "png", "gp", "dat")]


def small():
    return ["train", "--inputs", save("X.npy", X0), "--targets", save("Y.npy", Y0), "--lr", 0.01, "--epochs", 3]


def one_line(words, code, says=(), cwd=None, **options):
    """Exactly one line on standard error, nothing on standard output, that exit code."""
    done = linnet(*words, code=code, cwd=cwd or SCRATCH, **options)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("linnet: ") and done.stderr.endswith("\n"), (words, done.stderr)
    assert not done.stdout, (words, done.stdout[:300])
    for word in says:
        assert str(word) in lines[0], f"'{word}' is not in: {lines[0]}"
    return lines[0]


def content(folder):
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


# ---- JSON ----

def schema():
    if jsonschema is None:
        raise Skip("the Python package jsonschema is not there")
    with open(os.path.join(SOURCE, "docs", "schema.json")) as file:
        loaded = json.load(file)
    jsonschema.Draft7Validator.check_schema(loaded)
    return jsonschema.Draft7Validator(loaded)


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def rows_of_one_shape(table):
    return len({tuple(row) for row in table}) <= 1


def lengths(series):
    return {len(series)} if isinstance(series, list) else set().union(*map(lengths, series.values()))


def valid(validator, words):
    done = linnet(*words, "--json")
    assert done.stdout.startswith("{") and done.stdout.endswith("}\n")
    result = json.loads(done.stdout, parse_constant=refuse)
    errors = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(result)]
    assert not errors, "\n".join(errors[:5])
    assert all(map(rows_of_one_shape, [*result["tables"].values(), result["deviations"], result["assumptions"]]))
    assert len(lengths(result["series"])) <= 1, lengths(result["series"])
    listed = linnet("help", *result["command"].split()).stdout.split("Tables for --csv: ")[1].replace(",", " ").split()
    assert set(result["tables"]) <= set(listed), (set(result["tables"]) - set(listed), listed)
    has_null = "null" in done.stdout.split('"series":')[1].split('"tables":')[0]
    assert not has_null or any("null" in warning for warning in result["warnings"])
    return result


def test_json_of_train():
    validator = schema()
    dense = small()
    variants = [
        DIGITS, DIGITS + ["--seeds", 3], DIGITS + ["--no-shuffle", "--rows-per-epoch", 300, "--seeds", 2],
        DIGITS + ["--layers", "8,3,10", "--loss", "mean", "--optimizer", "gd"], DIGITS + ["--seed", 2 ** 64 - 1],
        DIGITS + ["--out", path("json-out")], DIGITS[:3] + ["--epochs", 0], DIGITS[:3] + ["--whiten", 64],
        DIGITS[:3] + ["--pca", 5, "--init", "gaussian:0.1", "--lr", 1e-4], DIGITS[:3] + ["--centre", "--lr", 1e-5],
        dense, dense + ["--seeds", 2], dense + ["--layers", "5,3"], dense + ["--layers", "5,1,3"],
        ["train", "--inputs", path("X.npy"), "--targets", save("labels.npy", C0), "--one-hot", "--epochs", 0],
        # a target that is always 0: predicted values are 0, relative deviations are null
        ["train", "--inputs", path("X.npy"), "--targets", save("zero.npy", np.zeros((len(X0), 2))), "--epochs", 1, "--lr", 0.01],
        dense + ["--init", "gaussian:0"],
    ]
    for words in variants:
        result = valid(validator, words)
        assert result["command"] == "train" and result["interrupted"] is False
    assert valid(validator, DIGITS + ["--seed", 2 ** 64 - 1])["parameters"]["seed"] == str(2 ** 64 - 1)
    assert valid(validator, DIGITS + ["--seed", 2 ** 63 - 1])["parameters"]["seed"] == 2 ** 63 - 1


def test_json_of_train_experiments():
    validator = schema()
    small = ["--layers", "8,6,1", "--samples", 9, "--epochs", 10]
    for words in (["two-layer", *small], ["two-layer", *small, "--seeds", 1], ["nonlinear", *small, "--seeds", 2],
                  ["toy", "--epochs", 20, "--seeds", 3], ["attention", "--epochs", 20], ["attention", "--epochs", 20, "--seeds", 1]):
        result = valid(validator, ["train", "--experiment", *words])
        assert result["command"] == "train" and result["parameters"]["experiment"] == words[0]
        del result["deviations"]
        assert list(validator.iter_errors(result))
    del result["parameters"]["experiment"]
    assert any("experiment" in error.message for error in validator.iter_errors(result))


def test_json_of_apply():
    validator = schema()
    linnet(*DIGITS, "--seeds", 2, "--out", path("model"), "--no-figure")
    linnet(*small(), "--out", path("dense-model"), "--no-figure")
    for words in (["apply", path("model"), "--data", "digits"], ["apply", path("model"), "--data", "digits", "--run", "each"],
                  ["apply", path("model"), "--data", "digits", "--run", 1, "--out", path("p.npy")],
                  ["apply", path("dense-model"), "--inputs", path("X.npy")],
                  ["apply", path("dense-model"), "--inputs", path("X.npy"), "--targets", path("Y.npy")]):
        assert valid(validator, words)["command"] == "apply"


def test_json_of_modes():
    validator = schema()
    for words in ("modes --task exercise --hidden 5 --lr 0.1", "modes --task exercise --hidden 3 --seeds 3 --lr 0.1",
                  "modes --task exercise --depths 1,2,3", "modes --task illusory --item 1 --feature 16 --lr 0.01",
                  "modes --task teacher:noise=1,samples=50 --split 0.3 --lr 0.1", "modes phase --s 1.5", "modes phase --s 0",
                  "modes isometry --data digits --whiten 10 --depth 5 --steps 20",
                  "train --task exercise --space covariance --lr 0.01", "train --data digits --split 0.2 --epochs 1 --lr 1e-5 "
                  "--optimizer adam --activation relu --seeds 2"):
        assert valid(validator, words.split())["command"] == (" ".join(words.split()[:2]) if words.split()[1][0] != "-" else words.split()[0])


def test_schema_refuses():
    """A schema that accepts everything would prove nothing."""
    validator = schema()
    good = json.loads(linnet(*DIGITS, "--json").stdout)
    assert validator.is_valid(good)

    def broken(change):
        bad = json.loads(json.dumps(good))
        change(bad)
        assert not validator.is_valid(bad), change

    for key in good:
        broken(lambda bad: bad.pop(key))
    broken(lambda bad: bad.update(schema=2))
    broken(lambda bad: bad.update(extra=3))
    broken(lambda bad: bad.update(extra={"a": ["x"]}))
    broken(lambda bad: bad["series"].update(loss=[1, "2"]))
    broken(lambda bad: bad["series"].update(deep={"a": {"b": {"c": [1]}}}))
    broken(lambda bad: bad["tables"]["optimum"][0].update(loss=[1]))
    broken(lambda bad: bad["deviations"][0].pop("sigmas"))
    broken(lambda bad: bad["deviations"][0].update(more=1))
    broken(lambda bad: bad["assumptions"][0].update(holds=1))
    broken(lambda bad: bad["checks"].append({"name": "a", "value": 1}))
    broken(lambda bad: bad["parameters"].update(layers=[8.5, 10]))
    broken(lambda bad: bad["warnings"].append(1))
    fine = json.loads(json.dumps(good))
    fine["series"]["arm"] = {"method": {"mean": [1, None], "sd": [0, 1]}}
    fine["verdict"] = {"right": True, "share": None, "word": "a"}
    assert validator.is_valid(fine)


def test_json_of_any_file_name():
    """JSON and run.yaml name files of any UTF-8 name, and run.yaml reads back; other names are refused."""
    for name in (b"ta\tb.npy", b"new\nline.npy", b'quote".npy', b"back\\slash.npy", "Ünïcode ✓.npy".encode(), b"byte\xff\x80.npy",
                 b"overlong\xc0\xaf.npy", b"surrogate\xed\xa0\x80.npy"):
        target = os.path.join(SCRATCH.encode(), name)
        with open(target, "wb") as file:
            np.save(file, X0)
        save("Y.npy", Y0)
        words = [PROGRAM, "train", "--inputs", target, "--targets", path("Y.npy"), "--epochs", "1", "--json", "--force"]
        done = subprocess.run(words + ["--out", path("named"), "--no-figure"], capture_output=True)
        if b"\xff" in name or b"\xc0" in name or b"\xed" in name:
            assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"UTF-8" in done.stderr, done.stderr
            continue
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout.decode("utf-8"))
        assert result["parameters"]["inputs"] == target.decode()
        again = subprocess.run([PROGRAM, "run", path("named/run.yaml"), "--json"], capture_output=True)
        assert again.returncode == 0 and again.stdout == done.stdout, (name, again.stderr)


# ---- CSV ----

def read_csv(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_csv():
    for words in (DIGITS + ["--seeds", 2], DIGITS, small() + ["--layers", "5,1,3"]):
        result = json.loads(linnet(*words, "--json").stdout)
        rows = read_csv(linnet(*words, "--csv", "series").stdout)
        flat = {}
        for name, series in result["series"].items():
            flat.update({name: series} if isinstance(series, list) else {f"{name}/{key}": s for key, s in series.items()})
        assert list(rows[0]) == list(flat)
        for name, values in flat.items():
            assert [float(row[name]) for row in rows] == values, name
        tables = dict(result["tables"], deviations=result["deviations"], assumptions=result["assumptions"])
        for name, table in tables.items():
            rows = read_csv(linnet(*words, "--csv", name).stdout)
            assert len(rows) == len(table)
            for ours, theirs in zip(rows, table):
                for column, value in theirs.items():
                    cell = ours[column]
                    assert cell == ("" if value is None else str(value).lower() if isinstance(value, bool) else value) \
                        if not isinstance(value, (int, float)) or isinstance(value, bool) else float(cell) == value, (name, cell)


def test_unknown_table():
    """Said before a run, which then leaves nothing."""
    for words, tables in [(DIGITS, ["optimum"]), (["modes", "--task", "exercise"], ["modes", "fixed_points"]),
                          (["modes", "phase"], ["trajectories"]), (["reproduce"], ["experiments"])]:
        one_line([*words, "--csv", "nothing", "--out", path("no-table")], 2,
                 ["nothing", "series", "deviations", "assumptions", *tables])
        one_line([*words, "--csv", tables[0][:-1], "--out", path("no-table")], 2, tables)
        assert not os.path.exists(path("no-table"))


def test_table_of_other_runs():
    """The run is done by then: its results are printed all the same."""
    words = ["modes", "--task", "exercise", "--lr", 0.1, "--quiet"]
    done = linnet(*words, "--csv", "stopping", code=2)
    for word in ("stopping", "series", "modes", "fixed_points", "deviations", "assumptions"):
        assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == linnet(*words).stdout


def test_json_and_csv_exclude_each_other():
    one_line(DIGITS + ["--json", "--csv", "series"], 2, ["--json", "--csv"])


def test_help_of_run():
    for words in (["help", "run"], ["run", "--help"]):
        assert "run.yaml" in linnet(*words).stdout


# ---- HDF5 ----

def as_python(value):
    """A value of result.h5 as JSON has it."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return [as_python(item) for item in value]
    if isinstance(value, np.uint8):
        return bool(value)
    value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value


def test_hdf5_holds_what_json_says():
    for words in (DIGITS + ["--seeds", 3, "--rows-per-epoch", 300, "--no-shuffle"], small() + ["--layers", "5,1,3"],
                  DIGITS[:3] + ["--whiten", 64, "--epochs", 1, "--seed", 2 ** 64 - 1]):
        result, h5, folder, _ = train(*words[1:])
        left = {name: as_python(value) for name, value in h5.items()}
        kinds = {name: value for name, value in h5.items()}

        def take(name, value):
            assert name in left, f"{name} is missing in result.h5"
            found = left.pop(name)
            if isinstance(value, bool):
                found = bool(found)
            assert found == value, (name, found, value)

        for name, value in result["parameters"].items():
            if name == "threads":
                assert "parameters/threads" not in left  # does not change results
            elif value is None:
                assert f"parameters/{name}" not in left
            else:
                assert not isinstance(value, bool) or isinstance(kinds[f"parameters/{name}"], np.uint8)
                take(f"parameters/{name}", value)
        for name, series in result["series"].items():
            for key, values in ([("", series)] if isinstance(series, list) else series.items()):
                take(f"series/{name}/{key}".rstrip("/"), values)
        for name, table in dict({f"tables/{key}": table for key, table in result["tables"].items()},
                                deviations=result["deviations"], assumptions=result["assumptions"]).items():
            for column in table[0]:
                values = [row[column] for row in table]
                if isinstance(values[0], bool):
                    values = [float(value) for value in values]
                take(f"{name}/{column}", values)
        for group in ("preparation", "network", "training", "final", "certificate"):
            for name, value in result[group].items():
                take(f"{group}/{name}", value)
        if result["warnings"]:
            take("warnings", result["warnings"])
        rest = {name for name in left if not name.startswith(("weights/", "figures/"))}
        assert rest <= {"preparation/mean", "preparation/map", "preparation/sd"}, rest
        with h5py.File(os.path.join(folder, "result.h5")) as file:
            roots = {key: value if key == "schema" else value.decode() for key, value in file.attrs.items()}
            assert roots == {"command": "train", "version": result["version"], "schema": result["schema"]}
            units = {}
            file.visititems(lambda name, item: units.update({name: item.attrs["unit"].decode()}) if "unit" in item.attrs else None)
        assert units == {"series/t": "tau", "training/t": "tau"}, units


# ---- run.yaml ----

def test_run_yaml():
    """Every option away from its default, repeated from the file alone; the command line wins over the file."""
    words = ["train", "--inputs", save("X.npy", X0), "--targets", save("labels.npy", C0), "--one-hot", "--whiten", 4,
             "--layers", "4,2,2,3", "--init", "gaussian:0.25", "--optimizer", "sgd", "--loss", "mean", "--lr", 0.0123456789012345,
             "--batch", 7, "--rows-per-epoch", 40, "--no-shuffle", "--epochs", 3, "--seeds", 2, "--seed", 2 ** 64 - 3]
    first = linnet(*words, "--json", "--out", path("first")).stdout
    second = linnet("run", path("first/run.yaml"), "--json", "--out", path("second")).stdout
    assert first == second
    one, two = content(path("first")), content(path("second"))
    assert set(one) == set(two) == set(FIGURE) | {"result.h5", "run.yaml"}
    assert [name for name in one if one[name] != two[name] and not name.endswith(".pdf")] == []
    # and as a configuration file, under the command line
    third = json.loads(linnet("train", "--config", path("first/run.yaml"), "--epochs", 1, "--shuffle", "--json").stdout)
    assert third["parameters"]["epochs"] == 1 and third["parameters"]["shuffle"] is True
    assert third["parameters"]["lr"] == 0.0123456789012345 and third["parameters"]["layers"] == [4, 2, 2, 3]
    fourth = json.loads(linnet("run", path("first/run.yaml"), "--epochs", 0, "--json").stdout)
    assert fourth["parameters"]["epochs"] == 0
    assert "threads" not in one["run.yaml"].decode() and "out" not in one["run.yaml"].decode().replace("--out", "")
    for other in (["--pca", 3], ["--centre"], ["--optimizer", "gd", "--loss", "sum"]):
        base = ["train", "--data", "digits", "--lr", 1e-5, "--epochs", 1] + other
        first = linnet(*base, "--json", "--force", "--no-figure", "--out", path("first")).stdout
        assert first == linnet("run", path("first/run.yaml"), "--json").stdout, other


def test_bad_yaml():
    linnet(*DIGITS, "--out", path("yaml"), "--no-figure")
    with open(path("yaml/run.yaml")) as file:
        good = file.read()

    def bad(text, says=(), code=1):
        with open(path("bad.yaml"), "w") as file:
            file.write(text)
        one_line(["run", path("bad.yaml")], code, ["bad.yaml", *says])

    bad("")
    bad("command: \"train\n")
    bad("- a\n- b\n")
    bad("options:\n  epochs: 1\n", ["command"])
    bad(good.replace('"train"', '"fly"'), ["fly"])
    bad(good.replace("  epochs: 2", "  epochs: 2\n  epochs: 3"), ["epochs", "twice"])
    bad(good.replace("epochs", "epoch"), ["epoch"], code=2)
    bad(good + "more: 1\n", ["more"])
    bad(good.replace("epochs: 2", "epochs: {a: 1}"))
    with open(path("bad.yaml"), "w") as file:
        file.write(good.replace("epochs: 2", "epochs: many"))
    one_line(["run", path("bad.yaml")], 2, ["epochs", "many"])
    one_line(["apply", path("yaml"), "--config", path("yaml/run.yaml")], 2, ["train", "apply"])
    one_line(["run"], 2)
    one_line(["run", path("absent.yaml")], 1, ["absent.yaml"])


# ---- Figures ----

def need_gnuplot():
    for program in ("gnuplot", "rsvg-convert"):
        if not shutil.which(program):
            raise Skip(f"{program} is not there")


def drawing(svg):
    """Without what is written behind the drawing, where its axes lie: the script beside it leaves that out."""
    return re.sub(rb"<metadata>.*?</metadata>\n", b"", svg)


def test_figures():
    need_gnuplot()
    for k, extra in enumerate(([], ["--seeds", 3], ["--epochs", 0], ["--rows-per-epoch", 100, "--no-shuffle", "--seeds", 2])):
        folder = path(f"figures-{k}")
        done = linnet(*DIGITS, *extra, "--out", folder, "--json")
        assert not done.stderr and not any("figure" in warning for warning in json.loads(done.stdout)["warnings"])
        found = content(folder)
        assert set(found) == set(FIGURE) | {"result.h5", "run.yaml"}
        assert found["figure-training.pdf"].startswith(b"%PDF-") and found["figure-training.png"].startswith(b"\x89PNG\r\n")
        assert xml.fromstring(found["figure-training.svg"]).tag.endswith("svg")
        for word in (b"loss", b"accuracy", b"epoch", b"optimum of all rows"):
            assert word in found["figure-training.svg"], word
        os.remove(os.path.join(folder, "figure-training.svg"))
        subprocess.run(["gnuplot", "figure-training.gp"], cwd=folder, check=True, capture_output=True)
        assert b"<metadata>[{" in found["figure-training.svg"]
        assert content(folder)["figure-training.svg"] == drawing(found["figure-training.svg"]), extra
    linnet(*DIGITS, "--no-figure", "--out", path("bare"))
    assert set(content(path("bare"))) == {"result.h5", "run.yaml"}


def test_figure_data():
    """The numbers that are drawn are those of the series."""
    linnet(*DIGITS, "--seeds", 3, "--out", path("drawn"))
    h5 = read_h5(path("drawn"))
    with open(path("drawn/figure-training.dat")) as file:
        blocks = [np.array([[float(x) for x in line.split()] for line in block.splitlines()])
                  for block in file.read().strip().split("\n\n\n")]
    for k, name in ((0, "loss"), (3, "accuracy")):
        mean, sd = h5[f"series/{name}/mean"], h5[f"series/{name}/sd"]
        assert np.array_equal(blocks[k], np.array([h5["series/epoch"], mean - sd, mean + sd]).T)
        assert np.array_equal(blocks[k + 1], np.array([h5["series/epoch"], mean]).T)
        assert np.array_equal(blocks[k + 2][:, 1], np.full(3, h5[f"tables/optimum/{name}"][0]))


def test_without_gnuplot():
    """Numbers are saved, script and data too; a warning says what is missing."""
    os.makedirs(path("no-programs"), exist_ok=True)
    done = linnet(*DIGITS, "--out", path("undrawn"), "--json", env={"PATH": path("no-programs")})
    assert any("gnuplot" in warning for warning in json.loads(done.stdout)["warnings"])
    assert set(content(path("undrawn"))) == {"figure-training.gp", "figure-training.dat", "result.h5", "run.yaml"}


# ---- Folders ----

def test_existing_folder():
    linnet(*DIGITS, "--out", path("taken"), "--no-figure")
    before = content(path("taken"))
    one_line(DIGITS + ["--seed", 1, "--out", path("taken"), "--no-figure"], 1, ["taken", "--force"])
    assert content(path("taken")) == before
    linnet(*DIGITS, "--seed", 1, "--out", path("taken"), "--no-figure", "--force")
    assert content(path("taken"))["result.h5"] != before["result.h5"]
    os.remove(path("taken/run.yaml"))  # an unfinished one counts too
    one_line(DIGITS + ["--out", path("taken")], 1, ["--force"])
    os.makedirs(path("other-things"))  # a folder with something else in it is no result
    with open(path("other-things/notes.txt"), "w") as file:
        file.write("mine\n")
    linnet(*DIGITS, "--out", path("other-things/deep/er"), "--no-figure")
    linnet(*DIGITS, "--out", path("other-things"), "--no-figure")
    assert content(path("other-things/deep/er")).keys() == {"result.h5", "run.yaml"}
    with open(path("other-things/notes.txt")) as file:
        assert file.read() == "mine\n"


def test_no_figures_of_other_results():
    """--force replaces results; pictures of those that were there before must not stand beside the new ones."""
    linnet(*DIGITS, "--out", path("replaced"))
    linnet(*DIGITS, "--seed", 1, "--out", path("replaced"), "--force", "--no-figure")
    assert not [name for name in os.listdir(path("replaced")) if name.startswith("figure")], os.listdir(path("replaced"))


def test_unwritable_folder():
    with open(path("a-file"), "w") as file:
        file.write("x")
    one_line(DIGITS + ["--out", path("a-file")], 1, ["a-file"])
    one_line(DIGITS + ["--out", path("a-file/deeper")], 1, ["a-file"])
    one_line(DIGITS + ["--out", "/proc/nowhere"], 1, ["/proc/nowhere"])
    one_line(DIGITS + ["--out", ""], 2)
    os.makedirs(path("read-only"))
    os.chmod(path("read-only"), 0o555)
    options = {}
    if os.geteuid() == 0:  # to whom nothing is read-only
        os.chmod(SCRATCH, 0o755)
        try:
            subprocess.run([PROGRAM, "version"], user=65534, check=True, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            raise Skip("neither an unprivileged user nor able to become one")
        options = {"user": 65534}
    one_line(DIGITS + ["--out", path("read-only")], 1, ["read-only"], **options)
    one_line(DIGITS + ["--out", path("read-only/deeper")], 1, ["read-only"], **options)


def test_full_disk():
    """Numbers are printed all the same, nothing half-written stays, exit 1."""
    os.makedirs(path("disk"), exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", path("disk")], capture_output=True)
    if mounted.returncode:
        raise Skip("a small file system cannot be mounted here")
    try:
        done = linnet(*DIGITS, "--out", path("disk/full"), "--json", code=1)
        assert json.loads(done.stdout)["final"]["loss"] > 0
        assert "disk/full" in done.stderr and "No space" in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1 and "printed instead" in done.stderr, done.stderr
        assert os.listdir(path("disk/full")) == []
        done = linnet(*DIGITS, "--out", path("disk/other"), "--csv", "series", code=1)
        assert len(done.stdout.splitlines()) == 4
        linnet(*DIGITS, "--out", path("model-2"), "--no-figure")
        done = linnet("apply", path("model-2"), "--data", "digits", "--out", path("disk/p.npy"), "--json", code=1)
        assert json.loads(done.stdout)["applied"]["rows"] == 1797
        assert sorted(os.listdir(path("disk"))) == ["full", "other"]
    finally:
        subprocess.run(["umount", path("disk")], check=True)


def test_full_standard_output():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    with open("/dev/full", "w") as full:
        for words in (DIGITS, DIGITS + ["--json"], DIGITS + ["--csv", "series"]):
            done = subprocess.run([PROGRAM, *map(str, words)], stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, (words, done)


# ---- Ctrl-C ----

def interrupted(*words, number=signal.SIGINT, patience=0.7):
    folder = path("interrupted")
    shutil.rmtree(folder, ignore_errors=True)
    running = subprocess.Popen([PROGRAM, "train", *map(str, words), "--epochs", "10000000", "--json", "--out", folder],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(patience)
    assert running.poll() is None
    running.send_signal(number)
    out, errors = running.communicate(timeout=20)
    assert running.returncode == 130, (running.returncode, errors)
    result = json.loads(out)
    assert result["interrupted"] is True and any("interrupted" in warning for warning in result["warnings"])
    assert not os.path.exists(os.path.join(folder, "run.yaml")) and not errors
    if len(result["series"]["epoch"]) == 1 and patience < 10:  # a slow machine: not yet begun
        return interrupted(*words, number=number, patience=3 * patience)
    return result, read_h5(folder), folder


def test_interrupt():
    """Exit 130; finished epochs and their weights are saved, and the same as those of a shorter run."""
    X, Y = digits()
    Z, _ = numpy_whiten(X, 8)
    for number in (signal.SIGINT, signal.SIGTERM):
        words = ["--data", "digits", "--whiten", 8, "--batch", 1, "--lr", 1e-4]
        result, h5, folder = interrupted(*words, number=number)
        epochs = len(result["series"]["epoch"]) - 1
        assert 1 <= epochs < 10000000 and h5["series/loss"].shape == (epochs + 1,)
        if jsonschema:
            assert schema().is_valid(result)
        W = layers_of(h5)
        close(map_score(np.linalg.multi_dot(W[::-1]), Z, Y)[0], result["series"]["loss"][-1], 1e-12)
        assert result["final"]["loss"] == result["series"]["loss"][-1]
        linnet("apply", folder, "--data", "digits")
        one_line(["train", *words, "--out", folder], 1, ["--force"])
    short, other, _, _ = train(*words, "--epochs", min(epochs, 20))
    assert short["series"]["loss"] == result["series"]["loss"][:min(epochs, 20) + 1]


def test_interrupted_time():
    """The time axis belongs to the finished epochs; steps whose weights were given up do not count."""
    result, _, _ = interrupted("--data", "digits", "--whiten", 8, "--batch", 1, "--lr", 1e-4)
    epochs = len(result["series"]["epoch"]) - 1
    close(result["series"]["t"], 1e-4 * 1797 * np.arange(epochs + 1), 1e-12, "t")
    assert result["training"]["steps"] == 1797 * epochs
    close(result["training"]["t"], 1e-4 * 1797 * epochs, 1e-12)


def test_interrupted_before_the_last_run():
    """With more runs than threads some have not begun; what the others finished is not thrown away, and what is said
    of the final state is true of the saved weights."""
    X, Y = digits()
    Z, _ = numpy_whiten(X, 8)
    result, h5, _ = interrupted("--data", "digits", "--whiten", 8, "--batch", 1, "--lr", 1e-4, "--seeds", 3, "--threads", 1)
    runs = len(h5["weights/1"]) if h5["weights/1"].ndim == 3 else None
    W = [layers_of(h5, run) for run in range(runs)] if runs else [layers_of(h5)]
    losses = [map_score(np.linalg.multi_dot(w[::-1]), Z, Y)[0] for w in W]
    close(result["final"]["loss"], np.mean(losses), 1e-10, "final loss against that of the saved weights")
    assert len(result["series"]["epoch"]) > 1, "the epochs of the first run are lost"


# ---- Hostile words ----

def test_hostile_names():
    """Quotes, backticks, $(...), newlines: in headers, file names and folders. Nothing runs, everything works."""
    home = path("hostile")
    os.makedirs(home)
    command = "touch pwned-"
    header = f"\"$({command}1)\",`{command}2`,'; {command}3; ',\"\"\"|{command}4\",<script>alert(1)</script>\n"
    table = os.path.join(home, f"in`{command}5`$({command}6)'\";x\n.csv")
    with open(table, "w") as file:
        file.write(header + "".join(",".join(map(repr, map(float, row))) + "\n" for row in X0))
    save("Y.npy", Y0)
    folders = [f"out`{command}7`$({command}8)", f"it's \"a\" folder\nsystem('{command}9')", "-dash", "%s%n", "a b;|&"]
    for name in folders:
        folder = os.path.join(home, name)
        done = linnet("train", "--inputs", table, "--targets", path("Y.npy"), "--epochs", 1, "--json", "--out", folder, cwd=home)
        assert not json.loads(done.stdout)["checks"] and not done.stderr
        found = content(folder)
        assert set(found) == set(FIGURE) | {"result.h5", "run.yaml"}, name
        again = linnet("run", os.path.join(folder, "run.yaml"), "--json", cwd=home)
        assert again.stdout == done.stdout
        if shutil.which("gnuplot"):
            subprocess.run(["gnuplot", "figure-training.gp"], cwd=folder, check=True, capture_output=True)
            found["figure-training.svg"] = drawing(found["figure-training.svg"])
            assert content(folder) == found
        linnet("apply", folder, "--inputs", table, "--out", os.path.join(home, "p.npy"), cwd=home)
        one_line(DIGITS + ["--out", folder], 1, cwd=home)  # one line, even for a name of two
    strangers = [os.path.join(at, name) for at, _, names in os.walk(home) for name in names if name.startswith("pwned")]
    assert not strangers and set(os.listdir(home)) == {os.path.basename(table), "p.npy", *folders}
    one_line(["train", "--data", f"$({command}a)\n`{command}b`"], 1, cwd=home)
    one_line(["train", "--data", "digits", f"--{command}c\nx"], 2, cwd=home)
    assert set(os.listdir(home)) == {os.path.basename(table), "p.npy", *folders}


# ---- Bad usage: exit 2 ----

def test_bad_usage():
    X, Y = save("X.npy", X0), save("Y.npy", Y0)
    for words, says in (
            (["train"], ["--data"]), (["train", "--nonsense"], ["--nonsense"]), (["train", "--data"], ["--data"]),
            (["fly"], ["fly"]), (["train", "--data", "digits", "more"], ["more"]), (["help", "fly"], ["fly"]),
            (["train", "--data", "digits", "--lr", "abc"], ["--lr", "abc"]), (["train", "--data", "digits", "--lr", 0], ["--lr"]),
            (["train", "--data", "digits", "--lr", "nan"], ["--lr"]), (["train", "--data", "digits", "--lr", "1e999"], ["--lr"]),
            (["train", "--data", "digits", "--lr", "-1"], ["--lr"]), (["train", "--data", "digits", "--lr", ""], ["--lr"]),
            (["train", "--data", "digits", "--epochs", "2.5"], ["--epochs"]), (["train", "--data", "digits", "--epochs", -1], []),
            (["train", "--data", "digits", "--epochs", "99999999999999999999"], ["--epochs"]),
            (["train", "--data", "digits", "--batch", 0], ["--batch"]), (["train", "--data", "digits", "--seeds", 0], ["--seeds"]),
            (["train", "--data", "digits", "--seed", -1], ["--seed"]), (["train", "--data", "digits", "--seed", 2 ** 64], []),
            (["train", "--data", "digits", "--threads", -1], ["--threads"]), (["train", "--data", "digits", "--whiten", -1], []),
            (["train", "--data", "digits", "--loss", "huber"], ["half", "sum", "mean"]),
            (["train", "--data", "digits", "--optimizer", "rmsprop"], ["sgd", "gd"]),
            (["train", "--data", "digits", "--init", "zero"], ["orthogonal", "gaussian"]),
            (["train", "--data", "digits", "--init", "gaussian:-1"], []), (["train", "--data", "digits", "--init", "gaussian:nan"], []),
            (["train", "--data", "digits", "--layers", "64,x,10"], ["--layers"]), (["train", "--data", "digits", "--layers", "64"], []),
            (["train", "--data", "digits", "--layers", "64,0,10"], []), (["train", "--data", "digits", "--layers", "64x1000"], []),
            (["train", "--data", "digits", "--pca", 3, "--whiten", 3], ["--pca", "--whiten"]),
            (["train", "--data", "digits", "--inputs", X, "--targets", Y], ["--data", "--inputs"]),
            (["train", "--data", "digits", "--rows-per-epoch", 1798], [1798, 1797]),
            (["train", "--data", "digits", "--json=yes"], ["--json"]), (["train", "-x"], ["-x"])):
        one_line(words, 2, says)
    done = linnet(code=2)
    assert "train" in done.stderr and not done.stdout
    for words in (["help"], ["help", "train"], ["train", "--help"], ["version"], ["--version"]):
        done = linnet(*words)
        assert done.stdout and not done.stderr


def test_unknown_short_options():
    """The message names the word that is wrong, wherever it stands."""
    one_line(["train", "--quiet", "-xy"], 2, ["-x"])
    one_line(["train", "--data", "digits", "-abc"], 2, ["-a"])


# ---- Bad data: exit 1, one line ----

def test_bad_data():
    X, Y = save("X.npy", X0), save("Y.npy", Y0)
    nan, inf = X0.copy(), Y0.copy()
    nan[20, 3], inf[4, 1] = np.nan, -np.inf
    with open(X, "rb") as file:
        good = file.read()

    def file(name, data):
        with open(path(name), "wb") as out:
            out.write(data)
        return path(name)

    negative, half = C0.copy(), C0 + 0.5
    negative[7] = -1
    inputs = [
        (save("nan.npy", nan), ["row 21", "column 4"]), (file("cut.npy", good[:-8]), ["cut.npy"]), (file("head.npy", good[:40]), []),
        (file("empty.npy", b""), ["empty"]), (save("complex.npy", X0 + 1j), ["complex.npy"]), (save("cube.npy", X0[None]), ["cube.npy"]),
        (save("words.npy", np.array([["a", "b"]])), []), (save("object.npy", np.array([[None, 1]], dtype=object)), []),
        (save("none.npy", X0[:0]), []), (save("thin.npy", X0[:, :0]), []), (save("scalar.npy", np.array(1.0)), []),
        (file("nan.csv", b"a,b\n1,2\n3,nan\n"), ["line 3", "column 2"]), (file("gap.csv", b"1,2\n3,\n"), ["line 2", "column 2"]),
        (file("ragged.csv", b"1,2\n3,4,5\n"), ["line 2"]), (file("word.csv", b"1,2\n3,four\n"), ["line 2", "four"]),
        (file("head.csv", b"a,b,c\n"), []), (file("huge.csv", b"1,2\n3,1e999\n"), ["line 2"]), (file("zero.csv", b"\0\0\0\0"), []),
        (file("bytes.csv", bytes(range(128, 256)) * 4), []), (file("cut.gz", gzip.compress(good)[:-20]), ["cut.gz"]),
        (file("idx", b"\0\0\x08\x02\0\0\0\x05\0\0\0\x05abc"), ["idx"]), (file("result.h5", b"\x89HDF\r\n\x1a\n" + bytes(50)), ["HDF5"]),
        (path("absent.npy"), ["absent.npy"]), (SCRATCH, [])]
    for name, says in inputs:
        one_line(["train", "--inputs", name, "--targets", Y], 1, says)
    targets = [
        ([save("inf.npy", inf)], ["row 5", "column 2"]), ([save("short.npy", Y0[:-1])], [len(Y0) - 1, len(Y0)]),
        ([save("labels.npy", C0[:-1]), "--one-hot"], [len(C0) - 1, len(C0)]), ([save("half.npy", half), "--one-hot"], ["row 1"]),
        ([save("negative.npy", negative), "--one-hot"], ["row 8"]), ([Y, "--one-hot"], [3]), ([path("absent.npy")], ["absent.npy"])]
    for words, says in targets:
        one_line(["train", "--inputs", X, "--targets", *words], 1, says)
    one_line(["train", "--data", path("nowhere")], 1, ["nowhere"])
    one_line(["train", "--data", SCRATCH], 1, ["train-images-idx3-ubyte"])
    one_line(["train", "--inputs", save("still.npy", np.ones((9, 2))), "--targets", save("nine.npy", np.ones((9, 2))), "--whiten", 2], 1,
             ["vary"])


def test_layers_that_do_not_fit():
    X, Y = save("X.npy", X0), save("Y.npy", Y0)
    one_line(["train", "--inputs", X, "--targets", Y, "--layers", "6,4,3"], 1, [6, 5, "--layers 5"])
    one_line(["train", "--inputs", X, "--targets", Y, "--layers", "5,4,2"], 1, [2, 3])
    one_line(["train", "--inputs", X, "--targets", Y, "--whiten", 4, "--layers", "5,4,3"], 1, [5, 4])
    line = linnet("train", "--data", "digits", "--whiten", 64, "--layers", "64,10", code=1).stderr.splitlines()[-1]
    assert "61" in line and "64" in line


def test_divergence():
    """One line that names the largest stable learning rate, which is that of NumPy's eigenvalues."""
    X, Y = digits()
    words = ["train", "--data", "digits", "--layers", "64,10", "--lr", 50]
    for loss, factor in (("half", 1), ("sum", 2), ("mean", 0.2)):
        line = one_line(words + ["--loss", loss, "--out", path("diverged"), "--force"], 1, ["diverged", "--lr 50"])
        stable = 2 / np.linalg.eigvalsh(X.T @ X / len(X))[-1] / factor
        named = float(line.split("below about ")[1].split()[0])
        assert abs(named / stable - 1) < 0.06, (named, stable)
        linnet(*words[:-1], 0.9 * named, "--loss", loss, "--optimizer", "gd", "--epochs", 50)
    assert not os.path.exists(path("diverged/result.h5"))
    line = one_line(["train", "--data", "digits", "--whiten", 8, "--lr", 50, "--seeds", 3, "--threads", 2], 1, ["diverged"])
    assert "run 0 " in line  # the lowest run's message, whoever was first
    # not diverged yet, but on the way: a warning
    result = json.loads(linnet("train", "--data", "digits", "--whiten", 8, "--layers", "8,10", "--optimizer", "gd", "--lr", 2.2,
                               "--epochs", 20, "--json").stdout)
    assert any("rose" in warning for warning in result["warnings"])


# ---- The surroundings ----

def test_locale():
    plain = linnet(*DIGITS, "--json").stdout
    for locale in ("de_DE.UTF-8", "de_DE", "C", "tr_TR.UTF-8"):
        linnet(*DIGITS, "--json", "--force", "--no-figure", "--out", path("locale"), env={"LC_ALL": locale, "LANG": locale})
        done = linnet(*DIGITS, "--json", env={"LC_ALL": locale, "LC_NUMERIC": locale, "LANG": locale})
        assert done.stdout == plain, locale
    linnet(*DIGITS, "--no-figure", "--out", path("plain"))
    assert content(path("locale")) == content(path("plain"))


def test_quiet_when_piped():
    """No progress and no other words on standard error where that is not a terminal."""
    done = linnet("train", "--data", "digits", "--whiten", 20, "--batch", 1, "--epochs", 60, "--json")
    assert done.stderr == ""
    done = linnet("train", "--data", "digits", "--whiten", 64, "--epochs", 0, "--quiet", "--json")
    assert done.stderr == "" and json.loads(done.stdout)["warnings"]


if __name__ == "__main__":
    main(globals())
