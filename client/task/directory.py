"""The directory of a task as its program finds it: inputs and worker, private files or links."""

import os
from typing import Optional

from ..machine import facts
from ..shared.archives import copy_tree, link_tree, link_tree_alone
from ..shared.originals import LINK, Changed, Original, copy, link, link_alone, write
from ..wire.task_record import Input
from .attempt import Attempt, CannotRun
from .place import FreePlaces
from .trees import is_part


def prepare(
    attempt: Attempt, worker: Optional[Original], places: Optional[FreePlaces] = None
) -> None:
    """Make the directory of a task with inputs and worker, in one of the free `places` if given.

    Folders of results are not made: a program that makes them itself (`mkdir out`) fails when they
    are there. Raises CannotRun, and Changed when an original is not as it was; then nothing is left
    of the directory.
    """
    attempt.prepared = True  # also when it fails below: nothing is to be tried twice
    attempt.linked = ()
    task, name = attempt.task, "."
    if not task.words:
        raise CannotRun("the command line is empty")
    for one in task.inputs:
        if not (one.is_archive and one.name == "."):
            check_name(one.name)
    # Results, too: the client reads and sends whatever file a name leads to.
    for two in task.results:
        check_name(two.file)
    try:
        if places:
            places.make(attempt.place)
        else:
            attempt.place.make()
        for one in task.inputs:
            name = one.name
            _add_input(attempt, one)
        if worker:
            name = os.path.basename(worker.path)
            _add_shared(attempt, worker, name, os.path.join(attempt.folder, name))
    except OSError as fault:
        text = "cannot make '%s' in the task's directory on host %s: %s"
        raise CannotRun(text % (name, facts.name_for_people(), facts.reason(fault)))
    except Changed:
        attempt.unprepare()
        raise


def _add_input(attempt: Attempt, one: Input) -> None:
    path = attempt.place.stdin if one.name == "stdin" else os.path.join(attempt.folder, one.name)
    if "/" in one.name:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    mode = one.mode | 0o200 if one.mode and one.is_own else one.mode
    if one.is_archive:
        _add_tree(attempt, attempt.originals[one.key], one)
    elif one.is_own and one.key:
        copy(attempt.originals[one.key], path, mode)
    elif one.key:
        _add_shared(attempt, attempt.originals[one.key], one.name, path, mode)
    else:
        write(path, one.content, mode)


def _add_shared(attempt: Attempt, original: Original, name: str, path: str, mode: int = 0) -> None:
    """Make a file that other tasks have, too.

    Where it is a result as well, it is no link: the program writes it.
    """
    if original.how != LINK or any(is_part(one, name) for one in attempt.task.results):
        return copy(original, path, mode)
    if attempt.is_suspect:
        original = link_alone(original, path, _beside(attempt))
    else:
        link(original, path)
    attempt.linked += ((name, original),)
    return None


def _add_tree(attempt: Attempt, original: Original, one: Input) -> None:
    """Make the files of an archive, which other tasks have, too."""
    folder, prefix = attempt.folder, ""
    if one.name != ".":
        folder, prefix = os.path.join(attempt.folder, one.name), one.name + "/"
    if original.how != LINK or one.is_own:
        return copy_tree(original, folder, one.is_own)
    results = [two for two in attempt.task.results if two.file != "stdout"]

    def own(name: str) -> bool:  # the program writes it
        return any(is_part(two, prefix + name) for two in results)

    if attempt.is_suspect:
        original = link_tree_alone(original, folder, own, _beside(attempt))
    else:
        link_tree(original, folder, own)
    attempt.linked += ((one.name, original),)
    return None


def _beside(attempt: Attempt) -> str:
    """Return the path of an original that is one task's own."""
    return "%s/original-%d" % (attempt.place.path, len(attempt.linked))


def check_name(name: str) -> None:
    """Raise CannotRun for the name of a file that would lie outside the directory of its task."""
    parts = name.split("/")
    if not name or name.startswith("/") or "\0" in name or ".." in parts or parts[-1] in ("", "."):
        raise CannotRun("file name %r refused: it must be a name below the task's directory" % name)
