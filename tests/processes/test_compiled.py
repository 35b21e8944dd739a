import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from numba import njit
from numba.core.compiler_lock import global_compiler_lock
from numba.core.event import Listener, install_listener

from lowlabel.processes.compiled import compiled, compiled_sum
from lowlabel.processes.interrupts import interruptible

pytestmark = pytest.mark.usefixtures("default_signals")


def dot(a, b):
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


class Signalling(Listener):
    """Sends SIGINT at an event of the compiler, once, and counts the events."""

    def __init__(self) -> None:
        self.events = 0

    def on_start(self, event):
        self.events += 1
        if self.events == 1:
            signal.raise_signal(signal.SIGINT)

    def on_end(self, event):
        pass


@pytest.mark.parametrize("compile_function", [compiled, compiled_sum])
def test_a_compiled_function_equals_that_of_python(compile_function):
    a, b = np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32)
    assert compile_function(dot)(a, b) == pytest.approx(dot(a, b), rel=1e-5)


def test_a_signal_waits_until_the_compiler_has_ended():
    reached = []
    with interruptible() as interrupt:
        with pytest.raises(KeyboardInterrupt), global_compiler_lock:
            with global_compiler_lock:
                signal.raise_signal(signal.SIGTERM)
                reached.append("inner")
            reached.append("outer")
        assert reached == ["inner", "outer"]
        assert interrupt() == signal.SIGTERM


def test_a_signal_waits_no_longer_than_for_the_next_pass():
    function = njit(dot)  # not cached on disk, as passes are not run then
    ones = np.ones(3)
    during = Signalling()
    with (
        interruptible(),
        install_listener("numba:run_pass", during),
        pytest.raises(KeyboardInterrupt),
    ):
        function(ones, ones)
    assert during.events <= 2
    assert function(ones, ones) == 3


def test_a_compiler_of_another_thread_defers_nothing():
    begun, end = threading.Event(), threading.Event()

    def hold():
        with global_compiler_lock:
            begun.set()
            end.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    with interruptible(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    end.set()
    thread.join()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="where numba has OpenMP for sure")
@pytest.mark.parametrize(("chosen", "layer"), [(None, "omp"), ("tbb workqueue omp", "tbb")])
def test_parallel_loops_beside_openvino_run_on_openmp_unless_the_user_chose(chosen, layer):
    pytest.importorskip("openvino")
    script = """
import numpy as np
import openvino
import lowlabel.processes.compiled
from numba import njit, prange, threading_layer

@njit(parallel=True)
def square(a):
    for i in prange(len(a)):
        a[i] *= a[i]

openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")  # loads TBB
square(np.ones(100))
print(threading_layer())
"""
    environment = os.environ | ({"NUMBA_THREADING_LAYER_PRIORITY": chosen} if chosen else {})
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True)
    assert (done.stdout, done.stderr) == (f"{layer}\n".encode(), b"")
