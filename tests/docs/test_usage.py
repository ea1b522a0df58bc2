"""Every command, option, error and environment variable is documented, and none that is not there."""

from __future__ import annotations

import inspect
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from pages import HAND_WRITTEN, ROOT, block, fences, read, rows, section
from typer.main import get_command

from hemascope.cli.main import USAGE_ERRORS, app
from hemascope.core import errors
from hemascope.core.errors import HemascopeError

USAGE = read("docs/usage.md")


def walk(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", {})
    for key, subcommand in subcommands.items():
        yield from walk(subcommand, f"{name} {key}".strip())
    if not subcommands:
        yield name, command


COMMANDS = dict(walk(get_command(app)))


def options(command: Any) -> set[str]:
    return {name for param in command.params if param.param_type_name == "option" for name in param.opts}


def unquoted(cell: str) -> str:
    return cell.strip("`")


def test_the_pages_describe_these_commands_and_no_others() -> None:
    described = set(re.findall(r"^## `hemascope ([a-z -]+)`$", USAGE, re.MULTILINE))
    assert described == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_these_and_no_others(name: str) -> None:
    described = [unquoted(row[0]) for row in rows(section(USAGE, f"`hemascope {name}`"))]
    assert sorted(described) == sorted(options(COMMANDS[name]))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_defaults_are_those_of_the_program(name: str) -> None:
    described = {unquoted(row[0]): unquoted(row[1]) for row in rows(section(USAGE, f"`hemascope {name}`"))}
    for param in COMMANDS[name].params:
        if param.param_type_name != "option":
            continue
        if isinstance(param.default, bool):
            assert described[param.opts[0]] == ("on" if param.default else "off")
        elif param.default is not None:
            assert described[param.opts[0]] == str(getattr(param.default, "value", param.default))
        elif param.required:
            assert described[param.opts[0]] == "required"


def test_the_options_of_the_program_itself_are_described() -> None:
    described = {unquoted(row[0]) for row in rows(USAGE.split("## ")[0])}
    assert described == {"--version", "--help"}
    assert options(get_command(app)) <= described


def shell_commands() -> list[tuple[str, str]]:
    found = []
    for page in HAND_WRITTEN:
        for fence in fences(page.read_text("utf-8")):
            if fence.language == "sh":
                found += [(page.name, line) for line in fence.text.splitlines() if line.strip()]
    return found


@pytest.mark.parametrize(("page", "line"), shell_commands())
def test_every_shell_command_of_the_pages_exists(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        assert set(words[1:]) <= set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    elif words[0] == "pip":
        extras = re.findall(r"\.\[([a-z,]+)\]", line)
        known = set(re.findall(r"^(\w+) = \[", section_of_toml("project.optional-dependencies"), re.MULTILINE))
        assert words[1] == "install"
        assert {extra for group in extras for extra in group.split(",")} <= known
    elif words[0] == "hemascope":
        name = next(name for name in COMMANDS if words[1 : 1 + len(name.split())] == name.split())
        assert {word for word in words if word.startswith("--")} <= options(COMMANDS[name])
        assert all((ROOT / word).is_file() for word in words if word.startswith("recipes/"))
    else:
        assert words[0] == ".venv/bin/python"
        assert (ROOT / words[1]).is_file()


def section_of_toml(name: str) -> str:
    return read("pyproject.toml").split(f"[{name}]")[1].split("\n[")[0]


def test_every_error_is_described_with_its_exit_status() -> None:
    classes = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, HemascopeError) and kind.__module__ == errors.__name__
    ]
    expected = {(k.__name__, k.__mro__[1].__name__, "2" if issubclass(k, USAGE_ERRORS) else "1") for k in classes}
    described = {(unquoted(row[0]), unquoted(row[1]), row[2]) for row in rows(block(USAGE, "errors"))}
    assert described == expected


def test_every_environment_variable_is_described() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    used = set(re.findall(r"HEMASCOPE_[A-Z_]+", source))
    assert {unquoted(row[0]) for row in rows(section(USAGE, "Environment variables"))} == used
