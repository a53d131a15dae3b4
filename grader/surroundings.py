"""Where the grader runs, as far as it decides what can be had from the kernel, and what to do for more.

Every advice is for one place and one person: who administers that machine, container or workflow.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from grader.walls import SEALED, Walls


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What can be seen of the place from inside.

    Attributes:
        root: whether this is user 0.
        container: the name of what holds it, `Docker`; empty where nothing seems to.
        actions: whether it is a job of GitHub Actions.
        wsl: whether it is the Windows Subsystem for Linux.
        apparmor: whether AppArmor takes capabilities away in normal users' namespaces, as on Ubuntu since 23.10.
        clone_off: whether normal users may make no user namespaces at all.
    """

    root: bool
    container: str
    actions: bool
    wsl: bool
    apparmor: bool
    clone_off: bool


def look() -> Surroundings:
    """Look around."""
    return Surroundings(
        root=os.geteuid() == 0,
        container=_container(),
        actions=os.environ.get("GITHUB_ACTIONS") == "true",
        wsl="microsoft" in os.uname().release.lower(),
        apparmor=_setting("kernel/apparmor_restrict_unprivileged_userns") == "1",
        clone_off=_setting("kernel/unprivileged_userns_clone") == "0" or _setting("user/max_user_namespaces") == "0",
    )


def advice(place: Surroundings, walls: Walls) -> tuple[str, ...]:
    """What to do for a better level, the likeliest first; nothing where it is the best."""
    if walls.level == SEALED:
        return ()
    said: list[str] = []
    if place.actions:
        said.append(
            "GitHub Actions: run the step as root (`sudo -E env PATH=$PATH grade ...`) on a Linux runner; the job's "
            "own user may make no namespaces there. Secrets of the job never reach student code: workers start "
            "without environment."
        )
    if place.container:
        said.append(
            f"{place.container}: its default filter refuses namespaces. `docker run --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined --cap-add SYS_ADMIN` allows them inside; run as root there, and grant "
            "it nothing else (no docker.sock, `--network none`, `--pids-limit`, `--memory`)."
        )
    if place.apparmor and not place.root and not place.container:
        said.append(
            "Ubuntu 23.10 and later: AppArmor takes the rights away that normal users have in their own namespaces. "
            "Run as root, or load a profile for this Python that has `userns,`, or, for the whole machine, "
            "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
        )
    if place.clone_off and not place.root:
        said.append(
            "User namespaces are switched off: `sudo sysctl kernel.unprivileged_userns_clone=1 "
            "user.max_user_namespaces=15000`, or run as root."
        )
    if place.wsl:
        said.append("WSL2: keep submissions and the checkout on the Linux file system, not below /mnt/c.")
    said += [f"{layer.name}: {layer.remedy}." for layer in walls.layers if layer.needed and layer.remedy]
    return tuple(said)


def _container() -> str:
    if Path("/.dockerenv").exists():
        return "Docker"
    if Path("/run/.containerenv").exists():
        return "Podman"
    return "A container" if os.environ.get("KUBERNETES_SERVICE_HOST") else ""


def _setting(name: str) -> str:
    """A kernel setting; empty where there is none of this name."""
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""
