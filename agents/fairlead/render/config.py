"""What the operator may set, and the limits that nobody has to."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.agent import ConfigError
from fairlead.render.paths import join


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what one resource may cost.  Times in seconds."""

    output_bytes_max: int = 64 * 1024 * 1024
    """A template that writes more is taken for a runaway loop."""
    resources_max: int = 10_000
    command_output_bytes_max: int = 2_000
    """The end of a command's output that is kept for its error message."""
    check_timeout_s: float = 30.0
    reload_timeout_s: float = 60.0
    kill_grace_s: float = 2.0
    """Between SIGTERM and SIGKILL to a command that is out of time."""
    verify_within_s: float = 10.0
    """How long a probe is tried where the resource does not say."""
    retry_min_s: float = 1.0
    retry_max_s: float = 60.0
    """A resource that failed is tried again after ``retry_min_s``, doubling up to this."""
    apply_threads: int = 8
    """How many resources may be checking or reloading at once; more wait."""

    def __post_init__(self) -> None:
        assert 0 < self.retry_min_s <= self.retry_max_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """One run of the renderer.

    Attributes:
        confdir: holds ``conf.d`` and ``templates``.
        prefix: joined before each resource's own prefix, never instead of it.
        noop: show what would change, change nothing.
        sync_only: put files in place, run neither checks nor reloads.
        keep_stage_file: leave the staged file where it is when it does not become the destination.
        watch: follow the store; without it, read the changes every ``interval_s``.
        interval_s: render everything again and repair drift this often; None for never.
        state_dir: where the journal is; None for the place that belongs to ``confdir``.
        secret_key_file: opens sealed values; None for a host that opens none.
    """

    confdir: Path
    prefix: str = "/"
    noop: bool = False
    sync_only: bool = False
    keep_stage_file: bool = False
    watch: bool = True
    interval_s: float | None = None
    state_dir: Path | None = None
    secret_key_file: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        assert self.watch or self.interval_s is not None

    @property
    def resource_dir(self) -> Path:
        """Where the resources are."""
        return self.confdir / "conf.d"

    @property
    def template_dir(self) -> Path:
        """Where the templates are."""
        return self.confdir / "templates"

    @property
    def root(self) -> str:
        """The prefix, absolute and cleaned."""
        return join("/", self.prefix)

    @property
    def state_folder(self) -> Path:
        """Where the journal is: each configuration directory has its own, which survives a reboot.

        Raises:
            ConfigError: nobody says where, and the user has no home.
        """
        if self.state_dir is not None:
            return self.state_dir
        # The first of several; systemd.exec(5).
        if given := os.environ.get("STATE_DIRECTORY", "").split(":")[0]:
            return Path(given)
        root = Path("/var/lib") if os.geteuid() == 0 else _state_home()
        return root / "fairlead" / "render" / "-".join(self.confdir.resolve().parts[1:])


def _state_home() -> Path:
    # XDG Base Directory Specification: a path that is not absolute does not count.
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    if given.is_absolute():
        return given
    try:
        return Path.home() / ".local/state"
    except RuntimeError as error:
        problem = f"user {os.geteuid()} has no home to keep a journal in"
        raise ConfigError(problem, "give --state-dir DIR, which survives a reboot") from error
