from __future__ import annotations

import os
import select
import signal
import sqlite3
import string
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from grader.errors import StoreError
from grader.model import Attempt, CheckResult, Finding, Flag, Isolation, IsolationLevel, Loading, Outcome, Place
from grader.store import FORMAT, Store

ATTEMPT = Attempt(
    key="key",
    student="Zoë",
    assignment="self-attention",
    results=(
        CheckResult(check="test_a.py::test_b", outcome=Outcome.PASSED, seconds=0.5),
        CheckResult(
            check="test_a.py::test_c",
            outcome=Outcome.ERRORED,
            message="no",
            where=Place(file="übung.py", line=3, source="x = 1"),
        ),
    ),
    findings=(Finding(id="scale_missing", certainty="proven", title="t", evidence={"n": 1, "f": 0.5, "s": "x"}),),
    loading=Loading.DEFINITIONS,
    isolation=Isolation(level=IsolationLevel.CONFINED, missing=("user namespaces",)),
    flags=(Flag(id="forbidden-api", message="m", where=Place(file="a.py", line=1, source="x")),),
    output="printed\n",
)


def attempt(key: str, student: str = "ada") -> Attempt:
    return msgspec.structs.replace(ATTEMPT, key=key, student=student)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "attempts.sqlite"


# -- keeping attempts --------------------------------------------------------------------------------------------------


def test_an_attempt_comes_back_as_it_was_put(path):
    with Store(path) as store:
        store.put(ATTEMPT)

        assert store.get("key") == ATTEMPT


def test_an_attempt_is_found_by_the_next_run(path):
    with Store(path) as store:
        store.put(ATTEMPT)
    with Store(path) as store:
        assert store.get("key") == ATTEMPT


def test_there_is_nothing_under_another_key(path):
    with Store(path) as store:
        store.put(ATTEMPT)

        assert store.get("other") is None
        assert store.get("ke%") is None


def test_a_later_attempt_takes_the_place_of_an_earlier_one(path):
    with Store(path) as store:
        store.put(attempt("key", "ada"))
        store.put(attempt("key", "bob"))

        assert store.get("key") == attempt("key", "bob")


def test_two_open_stores_see_each_other_s_attempts(path):
    with Store(path) as first, Store(path) as second:
        first.put(attempt("a"))
        second.put(attempt("b"))

        assert second.get("a") == attempt("a")
        assert first.get("b") == attempt("b")


def test_an_attempt_can_be_read_by_any_sqlite(path):
    with Store(path) as store:
        store.put(ATTEMPT)
    database = sqlite3.connect(path)
    rows = database.execute("SELECT key, student, assignment FROM attempts").fetchall()
    database.close()

    assert rows == [("key", "Zoë", "self-attention")]


@pytest.mark.parametrize("damage", [b"", b"{}", b"not json", b"\xff\xfe", b'{"key": "key", "unknown": 1}', None, "[]"])
def test_an_attempt_that_cannot_be_read_any_more_is_as_good_as_none(path, damage):
    with Store(path) as store:
        store.put(ATTEMPT)
        store.put(attempt("other"))
    database = sqlite3.connect(path, isolation_level=None)
    if damage is None:
        damage = msgspec.json.encode(ATTEMPT).replace(b'"confined"', b'"elsewhere"')
    database.execute("UPDATE attempts SET attempt = ? WHERE key = 'key'", (damage,))
    database.close()
    with Store(path) as store:
        assert store.get("key") is None
        assert store.get("other") == attempt("other")
        store.put(ATTEMPT)
        assert store.get("key") == ATTEMPT


# -- the salt ----------------------------------------------------------------------------------------------------------


def test_the_salt_is_64_hexadecimal_digits_and_stays_the_same(path):
    with Store(path) as store:
        salt = store.salt

        assert len(salt) == 64
        assert set(salt) <= set(string.hexdigits)
        assert store.salt == salt
    with Store(path) as store:
        assert store.salt == salt


def test_every_file_has_a_salt_of_its_own(tmp_path):
    with Store(tmp_path / "a") as first, Store(tmp_path / "b") as second:
        assert first.salt != second.salt


def test_two_open_stores_agree_on_the_salt(path):
    with Store(path) as first, Store(path) as second:
        assert first.salt == second.salt


# -- being killed ------------------------------------------------------------------------------------------------------

WRITING = """
import sys
import msgspec
from pathlib import Path
from grader.model import Attempt
from grader.store import Store

with Store(Path(sys.argv[1])) as store:
    attempt = msgspec.json.decode(sys.argv[2], type=Attempt)
    number = int(sys.argv[3])
    while True:
        store.put(msgspec.structs.replace(attempt, key=str(number), output="x" * 5000))
        print(number, flush=True)
        number += 1
"""


def test_everything_that_was_put_survives_a_process_that_is_killed_while_it_writes(path):
    last = -1
    for _ in range(4):
        arguments = [sys.executable, "-c", WRITING, str(path), msgspec.json.encode(ATTEMPT).decode(), str(last + 1)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            descriptor, told = process.stdout.fileno(), b""
            try:
                while told.count(b"\n") < 30:
                    assert select.select([descriptor], [], [], 20)[0]
                    told += os.read(descriptor, 65536)
            finally:
                process.send_signal(signal.SIGKILL)
            told += process.stdout.read()
        last = int(told[: told.rindex(b"\n")].split()[-1])

    with Store(path) as store:
        kept = [store.get(str(number)) for number in range(last + 1)]
        store.put(ATTEMPT)

        assert [number for number, each in enumerate(kept) if each is None or each.output != "x" * 5000] == []
        assert store.get("key") == ATTEMPT


# -- files that cannot be used -----------------------------------------------------------------------------------------


def refused(path: Path) -> StoreError:
    with pytest.raises(StoreError) as caught:
        Store(path)

    assert caught.value.path == path
    assert str(path) in caught.value.message
    assert "--out" in str(caught.value.hint)
    return caught.value


@pytest.mark.parametrize("content", [b"not a database " * 100, b"\x00" * 5000, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_damaged_file_is_reported_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "attempts.sqlite"
    path.write_bytes(content)
    refused(path)

    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_file_is_reported(tmp_path):
    refused(tmp_path)


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "out").write_text("")

    refused(tmp_path / "out" / "attempts.sqlite")


def test_a_database_of_somebody_else_is_reported(tmp_path):
    path = tmp_path / "attempts.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE facts (something INTEGER)")
    database.close()

    refused(path)


def test_a_file_of_another_format_is_reported_with_both_formats(path):
    with Store(path):
        pass
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("UPDATE facts SET value = '99' WHERE name = 'format'")
    database.close()

    assert f"it has format 99, this grader writes format {FORMAT}" in refused(path).message


def read_all(path: Path) -> None:
    with Store(path) as store:
        for number in range(200):
            store.get(f"key {number}")


def test_a_file_that_is_damaged_inside_is_reported_at_the_latest_when_it_is_used(path):
    with Store(path) as store:
        for number in range(200):
            store.put(attempt(f"key {number}"))
    content = bytearray(path.read_bytes())
    content[4096 * 5 :] = b"\xff" * (len(content) - 4096 * 5)  # the first pages tell of tables, the others hold them
    path.write_bytes(content)

    with pytest.raises(StoreError) as caught:
        read_all(path)

    assert caught.value.path == path


def test_a_file_that_goes_bad_while_it_is_open_is_reported_with_its_path(path):
    with Store(path) as store:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("DROP TABLE attempts")
        database.execute("DROP TABLE facts")
        database.close()
        for use in (lambda: store.put(ATTEMPT), lambda: store.get("key"), lambda: store.salt):
            with pytest.raises(StoreError) as caught:
                use()

            assert caught.value.path == path
