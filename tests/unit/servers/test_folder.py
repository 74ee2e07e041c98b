"""The servers' folder is theirs alone, and only what they wrote is removed."""

import os
from pathlib import Path

import pytest

from driftline.servers import ServersError, down, folder, status
from driftline.servers.configuration import Layout, Ports
from driftline.servers.locks import held, take
from driftline.servers.state import State, living, read

PORTS = Ports(kafka=20_001, controller=20_002, redis=20_003)


@pytest.fixture
def abandoned(tmp_path: Path) -> Layout:
    """A folder whose supervisor was killed."""
    layout = Layout(tmp_path / "servers")
    layout.directory.mkdir()
    layout.lock.touch()
    folder.configure(layout, PORTS)
    State(supervisor=2**22 + 1, ports=PORTS, temporary=False).write(layout)
    return layout


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    with pytest.raises(ServersError, match="holds other files"):
        folder.check_ours(tmp_path)


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServersError, match="is a file"):
        folder.check_ours(tmp_path / "file")


def test_a_new_an_empty_and_an_earlier_folder_are_taken(tmp_path: Path, abandoned: Layout) -> None:
    (tmp_path / "empty").mkdir()
    for directory in (tmp_path / "new", tmp_path / "empty", abandoned.directory):
        folder.check_ours(directory)


def test_removal_leaves_what_others_put_into_the_folder(abandoned: Layout) -> None:
    (abandoned.directory / "notes.txt").touch()
    folder.remove(abandoned)
    assert [path.name for path in abandoned.directory.iterdir()] == ["notes.txt"]


def test_a_folder_without_the_mark_of_the_servers_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    folder.remove(Layout(tmp_path))
    assert (tmp_path / "logs").is_dir()


def test_servers_run_only_while_their_supervisor_holds_the_lock(abandoned: Layout) -> None:
    state = read(abandoned)
    assert state is not None
    assert state.ports == PORTS
    assert living(abandoned) is None
    assert status(abandoned.directory) is None


def test_down_clears_what_a_killed_supervisor_left(abandoned: Layout) -> None:
    assert down(abandoned.directory) is False
    assert not abandoned.directory.exists()


def test_down_and_status_in_a_folder_that_does_not_exist_find_nothing(tmp_path: Path) -> None:
    assert down(tmp_path / "none") is False
    assert status(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_a_lock_is_held_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = take(path)
    assert descriptor is not None
    assert held(path)
    assert take(path) is None
    os.close(descriptor)
    assert not held(path)
