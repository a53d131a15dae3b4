"""What a child that took a lock upon itself can still do: each test forks one, locks it and has it try."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import json
import os
import resource
import runpy
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.worker import landlock, lockdown, namespaces, privileges, seccomp
from grader.worker.cgroups import Group
from grader.worker.lockdown import Bounds, Lock, Plan
from grader.worker.namespaces import Kind, Possible
from grader.worker.nursery import Nursery

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="walls need Linux")

BOUNDS = Bounds(memory=4 << 30, cpu_seconds=7)
REPOSITORY = Path(__file__).resolve().parents[2]
refuse = runpy.run_path(str(REPOSITORY / "tests" / "lesser_machine.py"))["refuse"]
"""Has system calls fail from here on, by their names."""

OWN_ROOT, USER_NAMESPACE, NO_NAMESPACES = "own root", "own root through a user namespace", "no root of its own"


@pytest.fixture(scope="module")
def surveyed() -> Plan:
    return lockdown.survey()


def variant(plan: Plan, name: str) -> Plan:
    """The plan of this machine, or of one that allows less."""
    if name == NO_NAMESPACES:
        if not plan.landlock or plan.unfiltered:
            pytest.skip("nothing is left on this machine without namespaces")
        return lockdown.survey(Possible(kind=Kind.NONE, flags=0, reason="for a test"))
    if name == USER_NAMESPACE:
        flags = namespaces.ALL | namespaces.NEWUSER
        if problem := namespaces._try(flags):
            pytest.skip(f"refused here: {problem}")
        return lockdown.survey(Possible(kind=Kind.USER, flags=flags, reason="for a test"))
    if not plan.own_root:
        pytest.skip(plan.namespaces.reason)
    return plan


@pytest.fixture(params=[OWN_ROOT, USER_NAMESPACE, NO_NAMESPACES])
def plan(request: pytest.FixtureRequest, surveyed: Plan) -> Plan:
    return variant(surveyed, request.param)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty folder as the host makes it: in one that other users may pass through."""
    folder = Path(os.path.realpath(tempfile.mkdtemp()))
    folder.chmod(0o711)
    (folder / "home").mkdir(mode=0o700)
    yield folder / "home"
    shutil.rmtree(folder)


Act = Callable[[], Any]


def told(
    plan: Plan,
    home: Path,
    act: Act,
    *,
    forking: bool = False,
    before: Act = lambda: None,
    bounds: Bounds = BOUNDS,
    nursery: Nursery | None = None,
) -> Any:
    """What `act` says in a locked child, or the error that locking it ended with, as `(number, file name)`."""
    return locked(
        plan, home, lambda _lock, _keep: act(), forking=forking, before=before, bounds=bounds, nursery=nursery
    )


def locked(
    plan: Plan,
    home: Path,
    act: Callable[[Lock, int], Any],
    *,
    forking: bool = False,
    before: Act = lambda: None,
    bounds: Bounds = BOUNDS,
    nursery: Nursery | None = None,
) -> Any:
    """The same for an act that needs the lock, and the number of the descriptor that was kept."""
    parents = nursery or Nursery(plan, memory=bounds.memory)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = parents.fork()
    if pid == 0:
        try:
            before()
            parents.lock.apply(keep=theirs.fileno(), home=home, bounds=bounds, forking=forking)
        except OSError as error:
            theirs.send(json.dumps({"refused": [error.errno, error.filename]}).encode())
            os._exit(1)
        try:
            answer = {"told": act(parents.lock, theirs.fileno())}
        except BaseException as error:
            answer = {"failed": repr(error)}
        theirs.send(json.dumps(answer).encode())
        os._exit(0)
    theirs.close()
    with ours:
        ours.settimeout(60)
        said = ours.recv(1 << 16)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    parents.ended(pid)
    if nursery is None:
        parents.close()
    answer = json.loads(said)
    assert "failed" not in answer, answer["failed"]
    return tuple(answer["refused"]) if "refused" in answer else answer["told"]


def outcome(act: Act) -> str:
    """`done`, or the name of the error."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    return "done"


# -- what is there -----------------------------------------------------------------------------------------------------


def test_all_descriptors_but_the_one_to_keep_are_closed_and_the_streams_lead_nowhere(plan, home):
    with open(__file__) as file, socket.socket() as listener:
        os.set_inheritable(file.fileno(), True)
        os.dup2(file.fileno(), 900)

        def look(_lock: Lock, keep: int) -> list[Any]:
            found = [number for number in range(4096) if outcome(lambda number=number: os.fstat(number)) == "done"]
            streams = {os.fstat(number).st_rdev for number in (0, 1, 2)}
            return [found == [0, 1, 2, keep], streams == {os.makedev(1, 3)}]

        answer = locked(plan, home, look)
        os.close(900)
        assert listener.fileno() > 2

    assert answer == [True, True]


def test_home_is_where_it_works_and_where_temporary_files_go(plan, home):
    def look() -> list[Any]:
        tempfile.tempdir = None
        Path("made").write_text("here")
        with tempfile.NamedTemporaryFile() as file:
            temporary = Path(file.name).parent
        names = {os.environ[name] for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")}
        return [os.getcwd(), str(temporary), sorted(names), os.listdir("."), (home / "made").read_text()]

    assert told(plan, home, look) == [str(home), str(home), [str(home)], ["made"], "here"]


def test_what_is_written_into_a_root_of_its_own_never_touches_the_disk(plan, home):
    def write() -> None:
        Path("made").write_text("here")

    told(plan, home, write)

    assert os.listdir(home) == ([] if plan.own_root else ["made"])


def test_the_first_process_of_a_root_of_its_own_sees_no_other(plan, home):
    def look() -> list[Any]:
        return [
            os.getpid(),
            os.getppid(),
            outcome(lambda: os.listdir("/proc/self")),
            outcome(lambda: os.listdir("/sys")),
        ]

    pid, parent, processes, system = told(plan, home, look)

    assert "done" not in (processes, system)
    assert ((pid, parent) == (1, 0)) is plan.own_root


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have children be somebody else")
def test_each_child_of_a_nursery_is_another_user_that_nobody_is(surveyed, home):
    plan = variant(surveyed, OWN_ROOT)
    nursery = Nursery(plan, memory=BOUNDS.memory)
    answers = []
    for number in range(3):
        place = home / str(number)
        home.chmod(0o711)
        place.mkdir(mode=0o700)
        answers.append(told(plan, place, lambda: [os.getresuid(), os.getresgid(), os.getgroups()], nursery=nursery))
    nursery.close()
    users = [answer[0][0] for answer in answers]

    assert plan.users is not None
    assert len(set(users)) == 3
    assert set(users) <= set(plan.users)
    assert answers == [[[user] * 3, [user] * 3, []] for user in users]


def test_a_user_namespace_leaves_it_the_user_it_was_without_any_power(surveyed, home):
    def look() -> list[Any]:
        return [os.getuid(), outcome(lambda: os.setgroups([0])), outcome(lambda: os.chroot("."))]

    assert told(variant(surveyed, USER_NAMESPACE), home, look) == [os.getuid(), "EPERM", "EPERM"]


def test_it_has_the_limits_that_it_was_given(plan, home):
    def look() -> list[list[int]]:
        names = ("AS", "CPU", "CORE", "FSIZE", "NOFILE", "MEMLOCK", "MSGQUEUE", "NPROC")
        return [list(resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))) for name in names]

    most = [4 << 30, 7, 0, lockdown.FILE_SIZE, lockdown.DESCRIPTORS, 0, 0, plan.processes]
    limits = told(plan, home, look, forking=True)

    assert limits == [[limit, limit] for limit in most]


def test_it_can_raise_none_of_its_limits(plan, home):
    def raise_all() -> list[str]:
        raised = []
        for name in ("AS", "CPU", "CORE", "FSIZE", "NOFILE"):
            what = getattr(resource, f"RLIMIT_{name}")
            soft, hard = resource.getrlimit(what)
            try:
                resource.setrlimit(what, (soft, hard + 1))
                raised.append(name)
            except (ValueError, OSError):
                pass
        return raised

    assert told(plan, home, raise_all) == []


def test_the_limits_are_felt(plan, home):
    def feel() -> list[str]:
        def fill() -> None:
            with open("large", "wb") as file:
                os.truncate(file.fileno(), lockdown.FILE_SIZE)
                file.seek(lockdown.FILE_SIZE)
                file.write(b"x")

        def open_many() -> None:
            for _ in range(lockdown.DESCRIPTORS + 1):
                os.open("/dev/null", os.O_RDONLY)

        try:
            bytearray(8 << 30)
        except MemoryError:
            return [outcome(fill), outcome(open_many)]
        return ["no limit on memory"]

    assert told(plan, home, feel) == ["EFBIG", "EMFILE"]


def test_a_lower_limit_of_the_machine_stays(surveyed, home):
    plan = variant(surveyed, NO_NAMESPACES)

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    assert told(plan, home, lambda: resource.getrlimit(resource.RLIMIT_FSIZE), before=lower) == [1 << 20, 1 << 20]


# -- files -------------------------------------------------------------------------------------------------------------


def test_nothing_can_be_written_but_in_its_own_places(plan, home):
    elsewhere = [
        "/",
        "/usr",
        "/usr/lib",
        "/etc",
        "/var/tmp",
        "/dev",
        "/root",
        "/home",
        str(Path.home()),
        str(REPOSITORY),
    ]
    elsewhere += [str(home.parent), str(Path(os.__file__).parent), str(Path(pytest.__file__).parent)]
    if not plan.own_root:
        elsewhere += ["/tmp", "/dev/shm"]

    def attempt() -> list[str]:
        """Its own /tmp has folders that lead to its home, and to Python where that is installed below /tmp."""
        scratch = os.stat(home).st_dev if plan.own_root else None
        written = [place for place in elsewhere if outcome(Path(place, "grader-test").touch) == "done"]
        return [place for place in written if os.stat(place).st_dev != scratch]

    assert told(plan, home, attempt) == []
    assert sorted(os.listdir(home.parent)) == ["home"]
    assert not [place for place in elsewhere if Path(place, "grader-test").exists()]


def test_the_temporary_folder_and_shared_memory_of_a_root_of_its_own_can_be_written(surveyed, home):
    def write() -> list[str]:
        return [outcome(lambda place=place: Path(place, "grader-test").touch()) for place in ("/tmp", "/dev/shm")]

    assert told(variant(surveyed, OWN_ROOT), home, write) == ["done", "done"]
    assert not Path("/tmp/grader-test").exists()
    assert not Path("/dev/shm/grader-test").exists()


def test_nothing_of_the_checkout_or_of_other_people_can_be_read(plan, home):
    (home.parent / "secret").write_text("")
    private = [__file__, str(REPOSITORY / "pyproject.toml"), lockdown.__file__, str(home.parent / "secret")]
    folders = [str(REPOSITORY / "grader"), str(REPOSITORY / "tests"), str(REPOSITORY / ".git"), "/etc", "/var", "/home"]

    def look() -> list[str]:
        seen = [path for path in private if outcome(Path(path).read_bytes) == "done"]
        for folder in folders:
            try:
                seen += [f"{folder}/{name}" for name in os.listdir(folder)]
            except OSError:
                continue
        return seen

    mine = {"/etc/passwd", "/etc/group", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts"}

    assert all(map(os.path.exists, private))
    assert set(told(plan, home, look)) <= (mine if plan.own_root else set())


def test_a_hidden_package_beside_readable_ones_cannot_be_imported_from_disk(plan, home):
    libraries = home.parent / "libraries"
    for name in ("answers", "course"):
        (libraries / name).mkdir(parents=True)
        (libraries / name / "__init__.py").write_text("VALUE = 5")
    for path in (libraries, *libraries.rglob("*")):
        path.chmod(0o755)
    plan = dataclasses.replace(plan, readable=(*plan.readable, libraries), hidden=(*plan.hidden, libraries / "answers"))

    def attempt() -> list[Any]:
        sys.path.insert(0, str(libraries))
        importlib.invalidate_caches()
        import course

        try:
            from answers import VALUE
        except (ImportError, PermissionError):
            VALUE = None
        return [course.VALUE, VALUE, outcome(lambda: open(libraries / "answers" / "__init__.py"))]

    course, answers, reading = told(plan, home, attempt)

    assert course == 5
    assert answers is None
    assert reading in ("ENOENT", "EACCES")


def test_the_grader_itself_cannot_be_imported_but_for_what_the_worker_has_loaded(plan, home):
    def attempt() -> list[str]:
        sys.path.insert(0, str(REPOSITORY))
        importlib.invalidate_caches()
        found = []
        for name in ("grader.scoring", "grader.checks.asserting", "grader.catalogue"):
            sys.modules.pop(name, None)
            try:
                importlib.import_module(name)
                found.append(name)
            except ImportError:
                continue
        return found

    assert told(plan, home, attempt) == []


def test_a_library_that_was_not_loaded_before_can_be_imported(plan, home):
    """Python may lie below a folder that the worker's user could not enter: the way there must stay open."""

    def attempt() -> str:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("wave", "numpy")]:
            del sys.modules[name]
        import wave

        return wave.__name__

    assert told(plan, home, attempt) == "wave"


# -- processes and sockets ---------------------------------------------------------------------------------------------


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def execute() -> None:
    os.execv("/bin/true", ["true"])


def make_socket(family: int, kind: int = socket.SOCK_STREAM) -> Act:
    return lambda: socket.socket(family, kind).close()


def test_a_module_cannot_fork_execute_or_make_sockets(plan, home):
    acts = [fork, execute, make_socket(socket.AF_UNIX), make_socket(socket.AF_INET), make_socket(socket.AF_NETLINK, 3)]
    answers = told(plan, home, lambda: [outcome(act) for act in acts])

    assert set(answers) <= {"EPERM", "EACCES"}


def test_a_module_can_start_threads_and_connect_two_of_its_own_sockets(plan, home):
    def use() -> list[Any]:
        one, other = socket.socketpair()
        thread = threading.Thread(target=lambda: one.sendall(b"x"))
        thread.start()
        thread.join()
        return [other.recv(1).decode(), threading.active_count()]

    assert told(plan, home, use) == ["x", 1]


def test_a_notebook_forks_and_binds_sockets_until_it_is_tightened_and_forks_until_it_is_settled(plan, home):
    def states(lock: Lock, _keep: int) -> list[list[str]]:
        acts = [fork, make_socket(socket.AF_UNIX), make_socket(socket.AF_INET), execute]
        found = [[outcome(act) for act in acts]]
        lock.tighten()
        found.append([outcome(act) for act in acts])
        lock.settle()
        found.append([outcome(act) for act in acts])
        return found

    started, tightened, settled = locked(plan, home, states, forking=True)

    assert started[:2] == ["done", "done"]
    assert tightened[0] == "done"
    assert {*started[2:], *tightened[1:], *settled} <= {"EPERM", "EACCES"}


def test_what_a_notebook_forks_can_be_kept_from_signalling_anybody(plan, home):
    def settled(lock: Lock, _keep: int) -> list[str]:
        reading, writing = os.pipe()
        if os.fork() == 0:
            lock.settle()
            targets = (os.getppid(), 1, -1, 0)
            os.write(writing, json.dumps([outcome(lambda who=who: os.kill(who, 0)) for who in targets]).encode())
            os._exit(0)
        os.wait()
        return json.loads(os.read(reading, 4096))

    assert set(locked(plan, home, settled, forking=True)) == {"EPERM"}


# -- what fails --------------------------------------------------------------------------------------------------------

STEPS = {
    "own root": ("mount", OWN_ROOT),
    "Landlock's rules": ("landlock_create_ruleset", NO_NAMESPACES),
    "Landlock": ("landlock_restrict_self", NO_NAMESPACES),
    "groups": ("setgroups", NO_NAMESPACES),
    "user": ("setresuid", NO_NAMESPACES),
    "capabilities": ("capset", NO_NAMESPACES),
    "limits": ("prlimit64", NO_NAMESPACES),
    "filter": ("seccomp", NO_NAMESPACES),
}


@pytest.mark.parametrize(("call", "kind"), STEPS.values(), ids=STEPS)
def test_a_step_that_fails_is_an_error_and_not_less_of_a_wall(surveyed, home, call, kind):
    plan = variant(surveyed, kind)
    if call in ("setgroups", "setresuid"):
        if surveyed.users is None:
            pytest.skip("the user is not changed here")
        plan = dataclasses.replace(plan, users=surveyed.users)
    refused = told(plan, home, lambda: "it was locked", before=lambda: refuse([call]))

    assert refused != "it was locked"
    assert refused[0] in (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP)


def test_a_home_that_is_not_there_is_an_error(plan, home):
    assert told(plan, home / "missing", lambda: "it was locked")[0] == errno.ENOENT


def test_a_promised_library_that_is_not_there_is_an_error_where_the_root_is_made_of_them(surveyed, home):
    plan = variant(surveyed, OWN_ROOT)
    plan = dataclasses.replace(plan, readable=(*plan.readable, home.parent / "missing"))

    assert told(plan, home, lambda: "it was locked")[0] == errno.ENOENT


def test_a_group_that_cannot_be_entered_is_an_error(surveyed, home):
    class Misled(Nursery):
        def fork(self) -> int:
            pid = super().fork()
            if pid == 0:
                missing = Group(folders=(Path("/sys/fs/cgroup/missing"),), limited=("memory",))
                self.lock = Lock(self._plan, group=missing)
            return pid

    plan = variant(surveyed, NO_NAMESPACES)
    nursery = Misled(plan, memory=BOUNDS.memory)

    assert told(plan, home, lambda: "it was locked", nursery=nursery) == (errno.EACCES, "/sys/fs/cgroup/missing")

    nursery.close()


# -- the survey --------------------------------------------------------------------------------------------------------


def test_the_survey_says_what_each_part_says(surveyed):
    assert surveyed.landlock == landlock.abi()
    assert surveyed.namespaces == namespaces.possible()
    assert not surveyed.unfiltered
    assert (surveyed.users is not None) is (os.geteuid() == 0 and surveyed.namespaces.kind is not Kind.USER)


def test_root_stays_root_where_nobody_else_could_read_python(surveyed, tmp_path):
    if surveyed.users is None:
        pytest.skip("only root can have children be somebody else")
    readable = all(privileges.can_read(surveyed.users[0], [path]) for path in surveyed.readable)
    tmp_path.chmod(0o700)

    assert (lockdown.survey(Possible(kind=Kind.NONE, flags=0, reason="")).users is not None) is readable
    assert not privileges.can_read(surveyed.users[0], [tmp_path / "below"])
    assert privileges.can_read(surveyed.users[0], [Path("/"), Path("/dev/null")])


def test_nothing_hidden_is_among_what_landlock_opens(tmp_path):
    for name in ("a/secret", "a/open", "b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    visible, opened = lockdown._without(
        [tmp_path / "a", tmp_path / "b", tmp_path / "link"], [tmp_path / "a" / "secret"]
    )

    assert {path.resolve() for path in visible} == {tmp_path / "a" / "open", tmp_path / "b"}
    assert {path.resolve() for path in opened} == {tmp_path / "a"}


def test_a_folder_that_is_hidden_itself_is_not_opened(tmp_path):
    assert lockdown._without([tmp_path], [tmp_path]) == ((), ())
    assert lockdown._without([tmp_path / "below"], [tmp_path]) == ((), ())


def test_every_profile_is_built_before_the_fork(surveyed):
    assert surveyed.unfiltered == ""
    assert seccomp._template.cache_info().currsize >= 3
