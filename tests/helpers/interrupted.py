"""The end of a process, for tests of what goes on after it."""


class Killed(BaseException):
    """Ends a computation where it is raised, as SIGKILL would; no code takes it for an error."""
