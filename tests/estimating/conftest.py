"""The command line, called as its own tests call it."""

import pytest

from kinema import cli


@pytest.fixture
def call(capsys):
    """Runs a command line: exit status, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return run
