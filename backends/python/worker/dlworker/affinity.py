"""Which CPUs a framework may use, for those whose thread pools follow the
process's affinity and have no other setting."""

import os


def _siblings(cpu):
    """The CPU's place among the hardware threads of its core, 0 for the first."""
    try:
        with open("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu) as f:
            first = f.read().replace("-", ",").split(",")[0]
    except OSError:
        return 0
    return 0 if int(first) == cpu else 1


def restrict(threads):
    """Let this thread, and all that it starts from now on, run on `threads`
    of the CPUs that the process may use, one per core as far as there are
    enough. Returns how many they are, None where the system has no affinity."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    # From the top: interrupts are served from CPU 0 on.
    granted = sorted(os.sched_getaffinity(0), key=lambda cpu: (_siblings(cpu), -cpu))[:threads]
    os.sched_setaffinity(0, granted)
    return len(granted)


def phrase(granted):
    """How hello says it."""
    return "no CPU affinity on this system: as many as it has CPUs" if granted is None else "CPU affinity of the process"
