"""What the process used (PROTOCOL.md, section 2, run)."""

import gc
import resource
import time


def read():
    """(cpu_ns, sys_ns, minor_faults, voluntary_switches, involuntary_switches)."""
    r = resource.getrusage(resource.RUSAGE_SELF)
    system = int(r.ru_stime * 1e9)
    return int(r.ru_utime * 1e9) + system, system, r.ru_minflt, r.ru_nvcsw, r.ru_nivcsw


class Collections:
    """Adds up the pauses of Python's cyclic garbage collector."""

    def __init__(self):
        self.ns, self._began = 0, 0
        gc.callbacks.append(self._event)

    def _event(self, phase, _info):
        now = time.perf_counter_ns()
        if phase == "start":
            self._began = now
        else:
            self.ns += now - self._began
