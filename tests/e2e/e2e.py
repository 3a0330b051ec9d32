"""What every end-to-end test starts from: the program, a scratch folder, and a runner that finds functions named test_*.

A test script is called with the program, the source folder and the build folder. It exits 0, 1, or 77 where everything
was skipped. A test function raises Skip("why") to be skipped, which is printed."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

PROGRAM, SOURCE, BUILD = [os.path.abspath(p) for p in sys.argv[1:4]]
SCRATCH = tempfile.mkdtemp(prefix="linnet-test-")


class Skip(Exception):
    pass


def linnet(*words, code=0, env=None, cwd=SCRATCH, **options):
    """Runs the program; fails unless it exits with `code`. Returns the finished process (text)."""
    environment = dict(os.environ, **(env or {}))
    done = subprocess.run([PROGRAM, *map(str, words)], cwd=cwd, env=environment, text=True, capture_output=True, **options)
    assert done.returncode == code, (
        f"linnet {' '.join(map(str, words))}: exit {done.returncode}, not {code}\n{done.stderr[-2000:]}")
    return done


def linnet_json(*words, **options):
    return json.loads(linnet(*words, "--json", **options).stdout)


def need_mnist():
    folder = os.path.join(os.environ.get("LINNET_DATA", ""), "mnist")
    if not os.environ.get("LINNET_DATA") or not os.path.isdir(folder):
        raise Skip("MNIST is not there ($LINNET_DATA/mnist)")
    return folder


def main(names):
    """Runs the test functions among `names` (pass globals())."""
    passed = failed = skipped = 0
    for name, function in list(names.items()):
        if not name.startswith("test_") or not callable(function):
            continue
        try:
            function()
            passed += 1
            print(f"ok    {name}")
        except Skip as why:
            skipped += 1
            print(f"skip  {name}: {why}")
        except Exception:  # a failed assertion or anything else: show it, go on with the others
            failed += 1
            print(f"FAIL  {name}")
            traceback.print_exc(file=sys.stdout)
    shutil.rmtree(SCRATCH, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 77 if passed == 0 else 0)
