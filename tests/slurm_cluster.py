"""A real Slurm on this machine for the tests: munged, slurmctld and slurmd of its own, on ports of its own, in a folder."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from waiting_for import wait_for

DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")

CONFIG = """
ClusterName=genbench
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
KillWait=15
SchedulerParameters=batch_sched_delay=0,sched_interval=1,requeue_setup_env_fail
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=some Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=9
"""


def why_not() -> str:
    """Return why there can be no Slurm here, "" where there can be."""
    lacking = [name for name in DAEMONS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if lacking:
        return f"no Slurm is installed here: {', '.join(lacking)} not found; on Debian: apt-get install slurm-wlm"
    return "" if os.geteuid() == 0 else "slurmd must be started by root"


class SlurmCluster:
    """The cluster: started by `with`, ended with it."""

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="gb-slurm-", dir="/tmp"))
        self.folder.chmod(0o755)
        (self.folder / "state").mkdir()
        (self.folder / "spool").mkdir()
        self.conf = self.folder / "slurm.conf"
        host = socket.gethostname().partition(".")[0]
        self.conf.write_text(CONFIG.format(host=host, folder=self.folder, controller=_port(), node=_port()))
        self._daemons: list[subprocess.Popen[bytes]] = []
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self.ask("scancel", "--user=root")
        for daemon in reversed(self._daemons):
            daemon.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            daemon.kill()
            daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables by which commands find it."""
        return {"SLURM_CONF": str(self.conf), "PATH": f"{os.environ['PATH']}:/usr/bin:/usr/sbin:/sbin"}

    def ask(self, *command: str) -> str:
        """Return what one of its commands answers."""
        surroundings = {**os.environ, **self.environment}
        return subprocess.run(command, env=surroundings, check=True, capture_output=True, text=True, timeout=60).stdout

    def release(self) -> None:
        """Let jobs that were queued again begin at once: Slurm has them wait for two minutes."""

        def is_released() -> bool:
            rows = self.ask("squeue", "--noheader", "--array", "--format=%A %T %r").splitlines()
            for job in (row.split()[0] for row in rows if row.endswith("PENDING BeginTime")):
                self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
            return any(row.split()[1] in ("RUNNING", "CONFIGURING") for row in rows)

        wait_for(is_released)

    def _start_all(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        where = ["--key-file", key, "--socket", self.folder / "munge.socket", "--log-file", self.folder / "munge.log"]
        where += ["--pid-file", self.folder / "munge.pid", "--seed-file", self.folder / "munge.seed"]
        self._start("munged", "--foreground", "--force", "--num-threads=2", *map(str, where))
        wait_for(lambda: (self.folder / "munge.socket").exists(), 30)
        self._start("slurmctld", "-D", "-f", str(self.conf))
        self._start("slurmd", "-D", "-f", str(self.conf))
        wait_for(self._is_up, 60)

    def _start(self, *command: str) -> None:
        surroundings = {**os.environ, **self.environment}
        with (self.folder / f"{command[0]}.out").open("wb") as said:
            self._daemons.append(
                subprocess.Popen(command, env=surroundings, stdout=said, stderr=said, start_new_session=True)
            )

    def _is_up(self) -> bool:
        with contextlib.suppress(subprocess.SubprocessError):
            return "idle" in self.ask("sinfo", "--noheader", "--format=%t")
        return False


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
