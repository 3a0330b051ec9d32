"""script/get-mnist against a server on this machine: what is right arrives, what is wrong leaves nothing behind."""
import functools
import gzip
import http.server
import os
import shutil
import subprocess
import tempfile
import threading

import e2e
from e2e import SCRATCH, SOURCE, need_mnist

FILES = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
         "t10k-labels-idx1-ubyte.gz"]


class Handler(http.server.SimpleHTTPRequestHandler):
    asked = []

    def log_message(self, *_):
        self.asked.append(self.path)


class Server:
    """Serves a folder as long as the `with` lasts."""

    def __init__(self, folder):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        Handler.asked.clear()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def get_mnist(folder, url, code=0, **env):
    environment = dict(os.environ, LINNET_MNIST_URL=url, no_proxy="127.0.0.1", NO_PROXY="127.0.0.1", **env)
    done = subprocess.run(["/bin/sh", os.path.join(SOURCE, "script", "get-mnist"), folder], env=environment, text=True,
                          capture_output=True)
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.stderr}"
    return done


def folders():
    return tempfile.mkdtemp(dir=SCRATCH), os.path.join(tempfile.mkdtemp(dir=SCRATCH), "with blank", "mnist")


def left_in(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def need_curl():
    if not shutil.which("curl"):
        raise e2e.Skip("curl is not there")


def test_real_files_arrive_and_are_kept():
    need_curl()
    source, target = need_mnist(), folders()[1]
    with Server(source) as server:
        get_mnist(target, server.url)
        assert left_in(target) == sorted(FILES), left_in(target)
        assert len(Handler.asked) == 4, Handler.asked
        for name in FILES:
            with open(os.path.join(source, name), "rb") as a, open(os.path.join(target, name), "rb") as b:
                assert a.read() == b.read(), name
        get_mnist(target, server.url)
        assert len(Handler.asked) == 4, "the second call fetched again"

        # One damaged file is named, and neither overwritten nor removed.
        damaged = os.path.join(target, FILES[1])
        with open(damaged, "r+b") as f:
            f.truncate(1000)
        message = get_mnist(target, server.url, code=1).stderr
        assert damaged in message and message.count("\n") == 1, message
        assert os.path.getsize(damaged) == 1000
        assert len(Handler.asked) == 4


def test_wrong_content_is_refused():
    need_curl()
    source, target = folders()
    for content in [gzip.compress(b"not MNIST"), b"not even gzip", gzip.compress(b"x" * 1000)[:-9], b""]:
        for name in FILES:
            with open(os.path.join(source, name), "wb") as f:
                f.write(content)
        with Server(source) as server:
            message = get_mnist(target, server.url, code=1).stderr
        assert "content is not that of MNIST" in message and message.count("\n") == 1, message
        assert left_in(target) == [], left_in(target)


def test_missing_file_is_one_line():
    need_curl()
    source, target = folders()
    with Server(source) as server:
        message = get_mnist(target, server.url, code=1).stderr
    assert FILES[0] in message and "404" in message and message.count("\n") == 1, message
    assert left_in(target) == [], left_in(target)


def test_no_server_is_one_line():
    need_curl()
    source, target = folders()
    with Server(source) as server:
        url = server.url
    message = get_mnist(target, url, code=1).stderr
    assert url in message and message.count("\n") == 1, message
    assert left_in(target) == [], left_in(target)


def test_missing_programs_are_named():
    empty, target = folders()
    os.symlink(shutil.which("gzip"), os.path.join(empty, "gzip"))
    message = get_mnist(target, "http://127.0.0.1:9", code=1, PATH=empty).stderr
    assert "missing: curl md5sum\n" in message and message.count("\n") == 1, message


e2e.main(globals())
