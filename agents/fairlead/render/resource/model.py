"""The model: what one resource asks for, whichever file it was written in.

Plain values, checked by the loaders.  Times are in seconds, shares between 0 and 1.
"""

from dataclasses import dataclass, field
from typing import Literal

OnFailure = Literal["rollback", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run: ``argv`` as it is, or ``shell`` by ``/bin/sh -c``; one of the two is set.

    ``{{ src }}`` and ``{{ dest }}`` in either stand for paths; see ``render.command``.
    """

    argv: tuple[str, ...] = ()
    shell: str = ""
    timeout_s: float

    def __post_init__(self) -> None:
        assert bool(self.argv) != bool(self.shell)
        assert self.timeout_s > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """One template and the file, or with ``foreach`` the files, that it makes.

    Attributes:
        src: the template, relative to ``templates``.
        dest: absolute path; with ``foreach`` a Jinja2 text in which ``item`` stands for the one at hand.
        mode: permission bits; None keeps the existing file's, or makes 0644 (0600 where a secret is inside).
        uid: None for the effective user.
        gid: None for the effective group.
        foreach: a Jinja2 expression that gives a list; empty for one file.
        prune: remove files that an earlier list made and the present one does not.
        make_dirs: create missing directories above ``dest``.
        format: ``json``, ``yaml``, ``toml``, ``ini`` or ``xml``, which the output must parse as; empty for any.
        schema: a JSON Schema file below ``templates`` that the parsed output must satisfy; empty for none.
    """

    src: str
    dest: str
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    foreach: str = ""
    prune: bool = False
    make_dirs: bool = False
    format: str = ""
    schema: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What an expression over keys must give before the new files may be used.

    Attributes:
        expression: Jinja2, such as ``gets('/up/*')``; a list, a text or a number.
        min: the least number of items, or the least number.
        max: the most; None for no bound.
        max_drop: the largest share by which the count may fall below that of the last good change.
        not_empty: an empty text or list is refused.
    """

    expression: str
    min: int | None = None
    max: int | None = None
    max_drop: float | None = None
    not_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The program that says whether the new files are good.

    Attributes:
        command: run with ``{{ src }}`` as the staged file.
        in_place: run in a mount namespace of its own where the staged files lie at the real paths.
    """

    command: Command
    in_place: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reload:
    """How the program is made to read the files.

    Attributes:
        command: what to run; None where ``signal`` goes to a process.
        signal: name without ``SIG``, such as ``HUP``; empty where ``command`` is run.
        pidfile: who gets the signal; empty for the supervised child.
        min_interval_s: a reload within so many seconds of the last one waits; it is never dropped.
    """

    command: Command | None = None
    signal: str = ""
    pidfile: str = ""
    min_interval_s: float = 0.0

    def __post_init__(self) -> None:
        assert (self.command is None) == bool(self.signal)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProbe:
    """A GET answers with one of the ``expect``ed codes, with ``contains`` in its body where that is set."""

    url: str
    expect: tuple[int, ...] = (200,)
    contains: str = ""
    timeout_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpProbe:
    """Somebody accepts connections there."""

    host: str
    port: int
    timeout_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandProbe:
    """A command exits with 0."""

    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitProbe:
    """A systemd unit is active."""

    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProbe:
    """Nothing that matches ``pattern`` has been appended to the file since the swap."""

    path: str
    pattern: str


Probe = HttpProbe | TcpProbe | CommandProbe | UnitProbe | LogProbe


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """A probe that must hold once the program was reloaded.

    Attributes:
        within_s: it is tried until it holds, for so long; a ``LogProbe`` must hold for all that time.
        pause_s: between two tries.
    """

    probe: Probe
    within_s: float = 10.0
    pause_s: float = 0.2


WAIT_MAX_FACTOR = 4
"""The longest wait, of the shortest, where a resource does not say; as consul-template has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Quiescence: a change is taken up ``min_s`` after the last one, ``max_s`` after the first at the latest."""

    min_s: float = 0.0
    max_s: float = 0.0

    def __post_init__(self) -> None:
        assert 0 <= self.min_s <= self.max_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Which hosts may change when.

    Attributes:
        group: hosts that share the slots.
        max: how many hosts may be changing at once.
        canary: hosts that go first; the others wait for all of them.
        soak_s: how long a changed host keeps its slot, and must stay good, before the next.
    """

    group: str
    max: int = 1
    canary: tuple[str, ...] = ()
    soak_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A program that the renderer itself runs, once all files are there.

    Attributes:
        argv: the program.
        stop_signal: name without ``SIG``.
        stop_timeout_s: from the signal to SIGKILL.
        restart_min_s: pause before the first restart after an unexpected end; doubles up to ``restart_max_s``.
    """

    argv: tuple[str, ...]
    stop_signal: str = "TERM"
    stop_timeout_s: float = 30.0
    restart_min_s: float = 1.0
    restart_max_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimiters:
    """How a template marks what is not text."""

    variable: tuple[str, str] = ("{{", "}}")
    block: tuple[str, str] = ("{%", "%}")
    comment: tuple[str, str] = ("{#", "#}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A group of files that check, swap, reload and roll back as one.

    Attributes:
        name: the resource's file, relative to the configuration directory, as messages show it.
        group: what commands and the status call it; unique on the host.
        root: what is taken off the keys' names: the global prefix and the resource's own, joined.
        visible: the full paths that the templates may see, none below another.
        check: None where nothing is checked.
        reload: None where no program reads the files, or it notices by itself.
        on_failure: what a failed reload or verify leads to: the old files come back (``rollback``), or the
            new ones stay and the reload is tried again (``retry``, as confd's users expect).
        remove_on_first_failure: a failed first change, which has no old files, removes the new ones.
        app: the preset that filled in what the file leaves out; empty for none.
    """

    name: str
    group: str
    files: tuple[FileSpec, ...]
    root: str = "/"
    visible: tuple[str, ...] = ("/",)
    guards: tuple[Guard, ...] = ()
    check: Check | None = None
    reload: Reload | None = None
    verify: tuple[Verify, ...] = ()
    wait: Wait = field(default_factory=Wait)
    rollout: Rollout | None = None
    child: Child | None = None
    delimiters: Delimiters = field(default_factory=Delimiters)
    on_failure: OnFailure = "rollback"
    remove_on_first_failure: bool = False
    app: str = ""
