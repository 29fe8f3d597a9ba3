"""A real Slurm behind a real SSH server, all of it on this computer and below one folder."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import psutil
import pytest

from tests.support.homes import PATIENCE, alive, kill
from tests.support.relay import HOST, Relay, free_ports

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"
"""An ordinary user's path may be without the folder of the daemons."""

PROGRAMS = ("sbatch", "slurmctld", "slurmd", "munged", "sshd", "ssh-keygen")

NEEDED = "install the Debian packages slurm-wlm munge openssh-server"

RUN_FOLDER = Path("/run/sshd")

# On a busy machine a node may be slow to answer: only a test makes one fail.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost=localhost({host})
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
PlugStackConfig={folder}/plugstack.conf
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/finished
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=1
EnforcePartLimits=ALL
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
MinJobAge=300
KillWait=1
MailProg=/bin/true
MessageTimeout=10
SlurmctldTimeout=10
SlurmdTimeout=600
Waittime=0
PartitionName=debug Nodes=ALL Default=YES MaxTime=60 DefaultTime=5 State=UP
"""

NODE = """\
NodeName={name} NodeHostname=localhost NodeAddr={host} Port={port} CPUs={cpus} RealMemory=1000
"""

# SetEnv: how commands over SSH find the cluster, and a home where nothing slows or disturbs them.
SSHD_CONF = """\
Port {port}
ListenAddress {host}
PidFile none
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin prohibit-password
PermitUserRC no
AllowUsers {user}
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp -d {folder}/home
SetEnv SLURM_CONF={folder}/slurm.conf HOME={folder}/home
"""


# What the user's key is for, once commands are measured: it starts them, and notes what they took.
MEASURE = """\
import os, resource, subprocess, sys, time
began = time.time()
status = subprocess.call(["/bin/bash", "-c", os.environ["SSH_ORIGINAL_COMMAND"]])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "a") as notes:
    print(began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, file=notes)
sys.exit(status)
"""


class Command(NamedTuple):
    """A command that came over SSH: when (s since 1970), CPU time (s), peak memory (MB)."""

    began: float
    cpu_seconds: float
    peak_mb: float


class ClusterError(RuntimeError):
    """A daemon or a command of the cluster failed."""


class SlurmCluster:
    """A Slurm of its own, and an SSH server to reach it by, for as long as the context lasts.

    Root may start it and an ordinary user may. SSH lets in that user only, by key.

    Parameters
    ----------
    folder : Path
        An empty folder for everything: configuration, keys, logs, state. Its path has to be short,
        as the path of a Unix socket may have 107 characters.
    nodes, cpus : int
        How many nodes ``n1``, ``n2``, ... and how many CPUs each is said to have.
    settings
        Lines of ``slurm.conf`` to have otherwise, such as ``MinJobAge=2``.

    Attributes
    ----------
    host, port, user : str, int, str
        Where SSH listens, and who may log in.
    key_file, known_hosts : Path
        The user's private key; the server's public one.
    home : Path
        The home that commands and file transfers find over SSH. Both start there (commands do
        where the user's shell is bash).
    env : dict
        The environment in which Slurm's commands find this cluster.
    """

    def __init__(
        self, folder: Path, nodes: int = 1, cpus: int = 2, **settings: str | int | float
    ) -> None:
        self.folder = folder = folder.resolve()
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self.cpus = cpus
        self.host = HOST
        self.port, self._controller_port, *self._node_ports = free_ports(2 + nodes)
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.key_file = folder / "user_key"
        self.known_hosts = folder / "known_hosts"
        self.home = folder / "home"
        self.env = dict(os.environ, PATH=PATH, SLURM_CONF=str(folder / "slurm.conf"))
        self._settings = settings
        self._notes = folder / "commands"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._host_key = folder / "host_key"
        self._made_run_folder = False
        self._orphans: list[psutil.Process] = []  # connections of an SSH server that has ended

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._start_munge()
            self._launch_controller()
            for node in self.nodes:
                self._launch_node(node)
            self.start_sshd()
            self._wait(self._answers, "Slurm's controller to answer")
            self._wait(self._idle, "the nodes to be idle")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the daemons, the connections and the jobs."""
        doomed = [*self._orphans, *self._children_of_sshd()]
        for name in list(self._daemons):
            self._end(name, signal.SIGKILL)
        # A process may start another before it ends, so they are looked up again.
        while doomed := [*filter(alive, doomed), *self.processes()]:
            kill(doomed)
        self._remove_run_folder()

    # --- Slurm ---

    def slurm(self, *words: str | int) -> str:
        """What a command of Slurm prints, such as ``slurm("squeue", "--me")``."""
        command = [str(word) for word in words]
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=PATIENCE
        )
        if done.returncode:
            raise ClusterError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def jobs(self) -> list[dict[str, str]]:
        """The jobs that the controller knows, in the words of ``scontrol show job``."""
        return [fields(line) for line in self.slurm("scontrol", "-o", "show", "job").splitlines()]

    def job(self, job_id: str | int) -> dict[str, str]:
        """One job, in the words of ``scontrol show job``."""
        return fields(self.slurm("scontrol", "-o", "show", "job", job_id).splitlines()[0])

    def submissions(self, name: str) -> int:
        """How many jobs of a name were ever submitted; a job array counts once."""
        known = self.slurm("squeue", "--states=all", "--noheader", "--format=%F %j")
        pairs = [line.strip().split(" ", 1) for line in known.splitlines()]
        pairs += [[job.get("ArrayJobId", job["JobId"]), job["Name"]] for job in self._ended()]
        return len({job_id for job_id, job_name in pairs if job_name == name})

    def ended_tasks(self, name: str) -> int:
        """How many tasks of a job array have ended."""
        return sum(job["Name"] == name for job in self._ended())

    def _ended(self) -> list[dict[str, str]]:
        """What Slurm has written down of jobs that have ended, each task of an array for itself."""
        records = self.folder / "finished"
        lines = records.read_text().splitlines() if records.exists() else []
        # lines that begin otherwise go on with a folder that has line breaks in its name
        return [fields(line) for line in lines if re.match(r"JobId=\d+ UserId=", line)]

    def answered(self, request: str) -> int:
        """How often the controller was asked something, such as ``REQUEST_JOB_INFO_SINGLE``."""
        found = re.search(rf"^\s*{request} .*count:(\d+)", self.slurm("sdiag"), re.MULTILINE)
        return int(found[1]) if found else 0

    # --- what commands over SSH take ---

    def measure_commands(self) -> None:
        """Note from now on what each command over SSH takes; files are no longer transferred."""
        self._notes.unlink(missing_ok=True)
        script = self.folder / "measure.py"
        script.write_text(MEASURE)
        key = self.key_file.with_suffix(".pub")
        text = key.read_text()
        words = shlex.join([sys.executable, "-I", "-S", str(script), str(self._notes)])
        key.write_text(f'command="{words}" {text[text.index("ssh-") :]}')

    def commands(self) -> list[Command]:
        """The commands over SSH that have ended since `measure_commands`."""
        lines = self._notes.read_text().splitlines()
        return [Command(*map(float, line.split())) for line in lines]

    # --- faults of Slurm ---

    def hang_controller(self) -> None:
        """Slurm's controller takes connections and does not answer."""
        self._daemons["slurmctld"].send_signal(signal.SIGSTOP)

    def wake_controller(self) -> None:
        """The controller goes on, with all it was asked in the meantime."""
        self._daemons["slurmctld"].send_signal(signal.SIGCONT)

    def stop_controller(self) -> None:
        """The controller ends in good order. Jobs go on."""
        self._end("slurmctld")

    def start_controller(self) -> None:
        """The controller is back and knows its jobs and its nodes."""
        self._launch_controller()
        self._wait(self._answers, "Slurm's controller to answer")
        for node in self.nodes:  # it would ask them after some seconds; so they tell it now
            self._daemons[node].send_signal(signal.SIGHUP)
        self._wait(self._nodes_answer, "the nodes to answer")

    def node_down(self, reason: str = "broken", node: str = "n1") -> None:
        """A node fails, and the jobs on it."""
        self.slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", f"Reason={reason}")

    def node_up(self, node: str = "n1") -> None:
        """A node is back after a restart: what ran on it has ended, and is forgotten.

        Slurm's daemon there would else end what is left of a job, and with it the same job's next
        start, or refuse that as a second copy.
        """
        self._wait(lambda: not self._minders(), "the node's jobs to end")
        self._end(node, signal.SIGKILL)
        self._launch_node(node)
        self.slurm("scontrol", "update", f"NodeName={node}", "State=RESUME")
        self._wait(self._nodes_answer, "the node to answer")

    def force_time_limit(self, job_id: str | int) -> None:
        """A running job has used up its time. Slurm looks every 30 s, so it may live that long.

        Slurm refuses an end that has passed when it reads the request, as on a busy machine.
        """

        def accepted() -> bool:
            with suppress(ClusterError):
                self.slurm("scontrol", "update", f"JobId={job_id}", "EndTime=now")
                return True
            return False

        self._wait(accepted, f"a new end of job {job_id}")

    # --- faults of SSH ---

    def kill_connections(self) -> int:
        """All connections die in mid-air, what their commands have begun goes on.

        Returns how many processes held them.
        """
        doomed = self._connections()
        kill(doomed)
        return len(doomed)

    def freeze_connections(self) -> None:
        """All connections stay open and silent. New ones are not concerned."""
        for process in self._connections():
            with suppress(psutil.NoSuchProcess):  # one that has just logged in ends
                process.suspend()

    def thaw_connections(self) -> None:
        """Frozen connections go on."""
        for process in self._connections():
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def stop_sshd(self) -> None:
        """New connections are refused. Those that are open stay."""
        self._orphans += self._children_of_sshd()
        self._end("sshd")

    def start_sshd(self) -> None:
        """Connections are taken again: the same port, the same host key."""
        if os.geteuid() == 0:
            self._make_run_folder()
        words = ("-D", "-e", "-f", str(self.folder / "sshd.conf"), "-h", str(self._host_key))
        # sshd starts itself anew for every connection, and insists on an absolute path for that.
        self._launch("sshd", shutil.which("sshd", path=PATH) or "sshd", *words)
        self._wait(self._listens, "the SSH server to listen")

    def new_host_key(self) -> None:
        """The server shows a key that ``known_hosts`` does not have: another computer, perhaps."""
        self._host_key = self.folder / "strange_key"
        make_key(self._host_key)
        self.stop_sshd()
        self.start_sshd()

    def relay(self) -> Relay:
        """Another way to the SSH server, which can be cut at a chosen byte. A known host too."""
        relay = Relay(self.port)
        self._trust(relay.port)
        return relay

    # --- all well again ---

    def mend(self) -> None:
        """Undo all faults, end all connections and jobs."""
        if self._runs("slurmctld"):
            self.wake_controller()
        else:
            self.start_controller()
        self.kill_connections()
        self.mend_sshd()
        self.slurm("scancel", f"--user={self.user}")
        for node, state in zip(self.nodes, self._node_states(), strict=True):
            if state.startswith(("down", "drain")):
                self.node_up(node)
        self._wait(self._idle, "the nodes to be idle")

    def mend_sshd(self) -> None:
        """The SSH server runs and shows its own host key."""
        if self._host_key.name != "host_key":
            self._host_key = self.folder / "host_key"
            self.stop_sshd()
        if not self._runs("sshd"):
            self.start_sshd()

    # --- how it is done ---

    def _prepare(self) -> None:
        """Write keys and configuration."""
        for name in ("munge", "state", "spool", "log", "home"):
            (self.folder / name).mkdir()
        (self.home / ".bashrc").write_text("cd\n")
        (self.folder / "plugstack.conf").touch()
        (self.folder / "slurm.conf").write_text(self._slurm_conf())
        names = {"folder": self.folder, "host": HOST, "port": self.port, "user": self.user}
        (self.folder / "sshd.conf").write_text(SSHD_CONF.format(**names))
        make_key(self.key_file)
        make_key(self._host_key)
        self._trust(self.port)

    def _slurm_conf(self) -> str:
        names = {"folder": self.folder, "host": HOST, "user": self.user}
        text = SLURM_CONF.format(**names, port=self._controller_port)
        for option, value in self._settings.items():
            text = re.sub(rf"^{option}=.*\n", "", text, flags=re.MULTILINE) + f"{option}={value}\n"
        for name, port in zip(self.nodes, self._node_ports, strict=True):
            text += NODE.format(name=name, host=HOST, port=port, cpus=self.cpus)
        return text

    def _trust(self, port: int) -> None:
        key = (self.folder / "host_key.pub").read_text()
        with self.known_hosts.open("a") as file:
            file.write(f"[{HOST}]:{port} {key}")

    def _start_munge(self) -> None:
        folder = self.folder / "munge"
        key = folder / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed"}
        words = [f"--{option}={folder / name}" for option, name in files.items()]
        # --force: a temp folder that is closed to other users will do, as there are none.
        self._launch("munged", "munged", "-F", "--force", *words)
        ask = ["munge", "--no-input", f"--socket={folder / 'socket'}"]
        self._wait(lambda: succeeds(ask, self.env), "munge to answer")

    def _launch_controller(self) -> None:
        self._launch("slurmctld", "slurmctld", "-D")

    def _launch_node(self, node: str) -> None:
        self._launch(node, "slurmd", "-D", "-N", node)

    def _launch(self, name: str, *command: str) -> None:
        """Start a daemon, in a session of its own so that Ctrl-C leaves its end to us."""
        with (self.folder / "log" / name).open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                command,
                env=self.env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        daemon = self._daemons.pop(name)
        daemon.send_signal(how)
        daemon.send_signal(signal.SIGCONT)  # one that was stopped hears nothing else
        daemon.wait(PATIENCE)

    def _runs(self, name: str) -> bool:
        return name in self._daemons and self._daemons[name].poll() is None

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ended = [name for name in self._daemons if not self._runs(name)]
            if ended or time.monotonic() > deadline:
                why = f"ended: {', '.join(ended)}" if ended else f"after {PATIENCE:g} s"
                raise ClusterError(f"waited in vain for {what} ({why})\n{self._logs()}")
            time.sleep(0.01)

    def _logs(self, lines: int = 15) -> str:
        """The ends of the daemons' logs."""
        parts = []
        for path in sorted((self.folder / "log").iterdir()):
            with path.open(errors="replace") as log:
                parts.append(f"--- {path.name}\n{''.join(deque(log, lines))}")
        return "\n".join(parts)

    def _answers(self) -> bool:
        return succeeds(["scontrol", "ping"], self.env)

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False

    def _node_states(self) -> list[str]:
        return self.slurm("sinfo", "--noheader", "--Node", "--format=%T").split()

    def _idle(self) -> bool:
        return set(self._node_states()) == {"idle"}

    def _nodes_answer(self) -> bool:
        """Slurm marks those that do not with a star."""
        return not any(s.endswith("*") or s == "unknown" for s in self._node_states())

    # --- processes ---

    def _children_of_sshd(self) -> list[psutil.Process]:
        """The SSH server's processes, a few for each connection, and the commands they run."""
        if not self._runs("sshd"):
            return []
        return psutil.Process(self._daemons["sshd"].pid).children(recursive=True)

    def _connections(self) -> list[psutil.Process]:
        """The processes that hold connections, also to a server that has ended since."""
        family = self._children_of_sshd()
        for orphan in self._orphans:
            with suppress(psutil.NoSuchProcess):
                family += [orphan, *orphan.children(recursive=True)]
        return [process for process in set(family) if name_of(process).startswith("sshd")]

    def processes(self) -> list[psutil.Process]:
        """Jobs, commands over SSH, and what they have started."""
        found = set()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if self._owns(process):
                    found |= {process, *process.children(recursive=True)}
        return [process for process in found if alive(process)]

    def _minders(self) -> list[psutil.Process]:
        """What minds Slurm's jobs on the nodes, a process for each."""
        return [process for process in self.processes() if "slurmstepd" in name_of(process)]

    def _owns(self, process: psutil.Process) -> bool:
        """Whether a process has the cluster's environment, or its folder.

        The minders of Slurm's jobs write their title over their environment, but stay where the
        daemon was started.
        """
        if process.pid == os.getpid():
            return False
        env = process.environ().get("SLURM_CONF")
        return env == self.env["SLURM_CONF"] or process.cwd() == str(self.folder)

    # --- a folder that root's SSH server cannot do without; Debian makes it with the service ---

    def _make_run_folder(self) -> None:
        with suppress(FileExistsError):
            RUN_FOLDER.mkdir(mode=0o755)
            self._made_run_folder = True

    def _remove_run_folder(self) -> None:
        others = any(name_of(p) == "sshd" and alive(p) for p in psutil.process_iter())
        if self._made_run_folder and not others:
            with suppress(OSError):
                RUN_FOLDER.rmdir()


def require_slurm() -> None:
    """Skip the test where a program is missing, or fail it where all has to be tested."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"with CI set, Slurm has to be there ({', '.join(missing)}): {NEEDED}")
    if missing:
        pytest.skip(f"!!! SLURM IS NOT TESTED: {NEEDED}")


def make_key(path: Path) -> None:
    """Make a pair of keys, in place of one that is there."""
    path.unlink(missing_ok=True)
    words = ["-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(["ssh-keygen", *words], check=True)


def succeeds(command: list[str], env: Mapping[str, str]) -> bool:
    return subprocess.run(command, env=env, capture_output=True, timeout=PATIENCE).returncode == 0


def fields(line: str) -> dict[str, str]:
    """The words ``Key=value`` of a line; values may have spaces in them."""
    return dict(re.findall(r"(?:^|(?<= ))([A-Z][\w:/]*)=(.*?)(?= [A-Z][\w:/]*=|\s*$)", line))


def name_of(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return process.name()
    return ""
