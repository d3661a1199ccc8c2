"""Installs the stand-in for CUDA as soon as torch is imported, in a process whose PYTHONPATH names this folder.

With GENBENCH_STANDIN=1 it does, in the worker processes too that such a process starts. GENBENCH_STANDIN_MIB bounds the
memory of the GPU.
"""

import os
import sys
from importlib.machinery import PathFinder


class Installing:
    """Finds torch as ever, and installs the stand-in once it is loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def load_and_install(module):
            load(module)
            from genbench.testing import cuda_standin

            cuda_standin.install()
            if mib := os.environ.get("GENBENCH_STANDIN_MIB"):
                cuda_standin.memory.limit = int(mib) * 2**20

        spec.loader.exec_module = load_and_install
        return spec


if os.environ.get("GENBENCH_STANDIN") == "1":
    sys.meta_path.insert(0, Installing())
