#!/usr/bin/env python3
"""Measures full-screen programs from the terminal's side: bytes, frames, CPU, memory, latency of keys, time to the first frame.

Not part of the test run: it needs Linux, Python 3.9 without packages, and for the comparison btop and W&B's LEET:

    apt-get install -y btop; python3 -m venv /tmp/leet/v && /tmp/leet/v/bin/pip install wandb
    python3 tests/reference/terminals.py bytes             # rematch, leet, btop at 80x24, 120x40, 200x60: a table, 17 min
    python3 tests/reference/terminals.py bytes --ssh --only rematch rematch-80
    python3 tests/reference/terminals.py bytes --rate 70 --only leet
    python3 tests/reference/terminals.py idle              # a paused run and a finished replay: 0 bytes, else exit code 1; 4 min
    python3 tests/reference/terminals.py keys --count 100  # from a key to what it draws; 7 min
    python3 tests/reference/terminals.py cost --ssh        # what the screen takes of training's time, in turn with none; 5 min
    python3 tests/reference/terminals.py first             # from exec to the first whole frame, and to the exit of --help; 2 min

Programs are named in PROGRAMS below; --command NAME='COMMAND' changes or adds one ({runs}: a fresh folder, {log}: a run that is being
logged for leet, {root}: --root, {venv}: --venv), --only picks. One after the other, at each --size, each on a pty of its own with a
HOME of its own (so: defaults). With --ssh SSH_CONNECTION is set, by which rematch draws at most 4 frames a second, else 10. `rematch-80`
fills its charts from edge to edge about while it is measured; `rematch` has a thousand epochs before it, hardly moves and needs less.

A frame is what arrives without a gap of more than 5 ms (--gap). Terminals' questions are answered as a plain xterm does (DA1, CPR, DSR,
OSC 10 and 11, size of a cell, DECRQM: unknown, with --sync: mode 2026 known); XTVERSION gets no answer. CPU, RSS and PSS are those of
the program and all its living descendants, in the measured time; `drawing` is all threads but those of rematch that train. Whatever
else the machine does is in all of these: see the load averages.

What leet shows is what wandb wrote: offline it writes whole blocks of 32 KiB, at 8.9 steps/s one every 4 to 5 s. Between them only the
dot of a live run is drawn.
"""
import argparse
import fcntl
import os
import pathlib
import platform
import random
import re
import select
import shlex
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
ESC = "\x1b"
PROGRAMS = {
    "rematch": "{root}/target/release/rematch train {root}/configs/quickstart.toml -s train.epochs=1000 --runs {runs}",
    "rematch-80": "{root}/target/release/rematch train {root}/configs/quickstart.toml -s train.epochs=80 --runs {runs}",
    "replay": "{root}/target/release/rematch replay {root}/assets/demo",
    "finished": "{root}/target/release/rematch replay {root}/assets/demo --pace max",
    "leet": "{venv}/bin/wandb leet run {log}",
    # What the line above starts in the end, without Python before it.
    "leet-core": "sh -c 'exec {venv}/lib/python3*/site-packages/wandb/bin/wandb-core leet run --no-observability "
                 "--run-file {log}/run-*.wandb {log}/..'",
    "btop": "btop",
}
HELPS = ["{root}/target/release/rematch --help", "{venv}/bin/wandb leet --help", "btop --help"]
# What opens the help and what closes it; in rematch `?` does both, Esc waits for the rest of a sequence first.
KEYS = {"leet": ["h", "h"], "leet-core": ["h", "h"], "btop": ["h", ESC]}
# Threads of rematch that train; libtorch's have their creator's name.
TRAINS = re.compile(r"worker|attack-|decoder|pt_")
QUESTIONS = re.compile(rb"\x1b\[0?c|\x1b\[6n|\x1b\[5n|\x1b\](1[01]);\?(?:\x07|\x1b\\)|\x1b\[\?(\d+)\$p|\x1b\[16t")
ALTERNATE = b"\x1b[?1049h"


class Ended(Exception):
    pass


class Terminal:
    """A program on a pseudo-terminal that is always read. `reads` holds the time and the size of everything that came."""

    def __init__(self, command, size, options, home):
        self.command, self.options = command, options
        self.reads, self.bytes, self.unanswered = [], bytearray(), b""
        columns, rows = size
        drop = re.compile("TMUX|STY|TERM_PROGRAM|NO_COLOR|SSH_|LC_|COLUMNS|LINES|WANDB_")
        env = {name: value for name, value in os.environ.items() if not drop.match(name)}
        env.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", HOME=home, XDG_CONFIG_HOME=home + "/.config")
        # Neither uploads nor telemetry.
        env.update(WANDB_MODE="offline", WANDB_ERROR_REPORTING="false")
        if options.ssh:
            env.update(SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 22")
        argv = shlex.split(command)
        self.began = time.monotonic()
        self.pid, self.master = os.forkpty()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
                os.chdir(options.cwd)
                os.execvpe(argv[0], argv, env)
            except OSError as error:
                os.write(2, f"{argv[0]}: {error}\r\n".encode())
            finally:
                os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """SIGTERM, and after 20 s SIGKILL, to the whole session; drained to the end."""
        for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
            try:
                os.killpg(self.pid, number)
                self.pump(patience)
            except (Ended, ProcessLookupError):
                break
        os.close(self.master)
        os.waitpid(self.pid, 0)

    def read(self, seconds):
        """Whether something came within this time. Answers what it asks."""
        if not select.select([self.master], [], [], max(seconds, 0))[0]:
            return False
        try:
            content = os.read(self.master, 1 << 16)
        except OSError:
            content = b""
        if not content:
            raise Ended(f"{self.command}: ended; it said: {bytes(self.bytes[-600:])!r}")
        self.reads.append((time.monotonic(), len(content)))
        self.bytes += content
        self.unanswered += content
        end = 0
        for question in QUESTIONS.finditer(self.unanswered):
            end = question.end()
            self.press(self.answer(question))
        self.unanswered = self.unanswered[end:][-16:]
        return True

    def answer(self, question):
        colour, mode = question.groups()
        if colour:
            light = "ffff" if colour == b"10" else "0000"
            return "" if self.options.no_osc11 else f"{ESC}]{colour.decode()};rgb:{light}/{light}/{light}{ESC}\\"
        if mode:
            return f"{ESC}[?{mode.decode()};{2 if self.options.sync and mode == b'2026' else 0}$y"
        known = {b"6n": f"{ESC}[1;1R", b"5n": f"{ESC}[0n", b"6t": f"{ESC}[6;16;8t"}
        return known.get(question[0][-2:], f"{ESC}[?62;22c")

    def press(self, key):
        os.write(self.master, key.encode())

    def pump(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)

    def silence(self, seconds, at_most):
        """Reads until nothing has come for this time; whether that was within `at_most`."""
        until = time.monotonic() + at_most
        while time.monotonic() < until:
            if not self.read(seconds):
                return True
        return False

    def frames(self, since):
        """Begin, end and size of each burst from the read of this number on."""
        bursts = []
        for at, size in self.reads[since:]:
            if bursts and at - bursts[-1][1] <= self.options.gap / 1000:
                bursts[-1][1:] = [at, bursts[-1][2] + size]
            else:
                bursts.append([at, at, size])
        return bursts


def tree(pid):
    """The process and its descendants."""
    found = [pid]
    for one in found:
        for task in pathlib.Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def stat(path):
    """Name and CPU seconds: its own, and those of children it waited for."""
    text = pathlib.Path(path).read_text()
    name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return name, sum(map(int, rest[11:13])) / ticks, sum(map(int, rest[13:15])) / ticks


def cpu(pid):
    """CPU seconds of the tree, with processes that ended, and those of its living threads by (process, thread, name)."""
    total, threads = 0, {}
    for one in tree(pid):
        total += sum(stat(f"/proc/{one}/stat")[1:])
        for task in pathlib.Path(f"/proc/{one}/task").iterdir():
            try:
                threads[one, task.name, (task / "comm").read_text().strip()] = int((task / "schedstat").read_text().split()[0]) / 1e9
            except OSError:
                continue
    return total, threads


def memory(pid):
    """RSS and PSS of each process of the tree in MiB, by name."""
    found = []
    for one in tree(pid):
        kib = dict(re.findall(r"^(Rss|Pss): +(\d+)", pathlib.Path(f"/proc/{one}/smaps_rollup").read_text(), re.M))
        found.append((stat(f"/proc/{one}/stat")[0], int(kib["Rss"]) / 1024, int(kib["Pss"]) / 1024))
    return found


def part(values, share):
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else float("nan")


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(f"{cell:.1f}" if isinstance(cell, float) else str(cell) for cell in row) + " |")
    print(flush=True)


def machine(when):
    model = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    load = pathlib.Path("/proc/loadavg").read_text().split()[:3]
    print(f"{when}: {time.strftime('%F %T %Z')}; load average {' '.join(load)}; {model[1] if model else platform.machine()}, "
          f"{os.cpu_count()} cores ({len(os.sched_getaffinity(0))} to be used), Linux {platform.release()}", flush=True)


class Scene:
    """Everything a command needs to be run: folders of its own and, for {log}, a run that is being logged."""

    def __init__(self, template, options):
        self.template, self.options, self.logger = template, options, None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="terminals-", ignore_cleanup_errors=True)
        home, runs = self.folder.name + "/home", self.folder.name + "/runs"
        os.makedirs(home)
        log = ""
        if "{log}" in self.template:
            argv = [self.options.venv + "/bin/python", __file__, "log-run", "--folder", self.folder.name, "--rate", str(self.options.rate)]
            quiet = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false", "HOME": home}
            self.logger = subprocess.Popen(argv, env=quiet, stdout=subprocess.DEVNULL, start_new_session=True)
            time.sleep(self.options.lead)
            log = os.path.realpath(self.folder.name + "/wandb/latest-run")
            if self.logger.poll() is not None or not os.path.isdir(log):
                raise SystemExit(f"{shlex.join(argv)}: it does not log")
        command = filled(self.template, self.options, runs=runs, log=log)
        return lambda size: Terminal(command, size, self.options, home)

    def __exit__(self, *_):
        if self.logger:
            self.logger.terminate()
            try:
                self.logger.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.logger.pid, signal.SIGKILL)
        self.folder.cleanup()


def filled(template, options, runs="RUNS", log="LOG"):
    return template.format(root=options.root, venv=options.venv, runs=runs, log=log)


def chosen(options, default):
    programs = {**PROGRAMS, **dict(one.split("=", 1) for one in options.command)}
    names = options.only or default + [one.split("=", 1)[0] for one in options.command if one.split("=", 1)[0] not in default]
    if unknown := set(names) - set(programs):
        sys.exit(f"{', '.join(unknown)}: not among {', '.join(programs)}")
    for name in names:
        print(f"{name}: `{filled(programs[name], options)}`", flush=True)
        yield name, programs[name]


def mode_bytes(options):
    """Bytes, frames, CPU and memory in the steady state."""
    print(f"{options.warm:g} s warm-up, then {options.seconds:g} s; {'over SSH' if options.ssh else 'local'}; frames end after "
          f"{options.gap:g} ms of silence; leet: {options.rate:g} steps/s logged since {options.lead:g} s before")
    rows, notes = [], []
    for name, template in chosen(options, ["rematch", "rematch-80", "leet", "btop"]):
        for size in options.size:
            with Scene(template, options) as start, start(size) as terminal:
                terminal.pump(options.warm)
                before, (used, by), since = len(terminal.reads), cpu(terminal.pid), time.monotonic()
                terminal.pump(options.seconds)
                took, (used_now, by_now) = time.monotonic() - since, cpu(terminal.pid)
                held = memory(terminal.pid)
                frames = [frame[2] for frame in terminal.frames(before)]
                threads = {}
                for thread, seconds in by_now.items():
                    threads[thread[2]] = threads.get(thread[2], 0) + seconds - by.get(thread, 0)
                spent = used_now - used
                drew = sum(seconds for thread, seconds in threads.items() if not TRAINS.search(thread))
                where = "{}x{}".format(*size)
                rows.append([name, where, sum(frames) / took, len(frames) / took, part(frames, 0.5), part(frames, 0.99),
                             max(frames, default=0), f"{spent:.2f}", 1000 * drew / took, 1000 * drew / max(len(frames), 1),
                             sum(one[1] for one in held), sum(one[2] for one in held)])
                notes.append(f"{name} {where}: RSS/PSS " + ", ".join(f"{one} {rss:.0f}/{pss:.0f} MiB" for one, rss, pss in held)
                             + "; CPU s " + ", ".join(f"{thread} {seconds:.2f}" for thread, seconds in threads.items() if seconds >= 0.005))
    table(["program", "size", "B/s", "frames/s", "p50 B", "p99 B", "max B", "CPU s", "drawing ms/s", "ms/frame", "RSS MiB", "PSS MiB"],
          rows)
    print("\n".join(notes), flush=True)


def mode_idle(options):
    """Bytes while nothing happens: has to be none."""
    rows, fault = [], False
    for name, template in chosen(options, ["rematch", "finished"]):
        for size in options.size:
            with Scene(template, options) as start, start(size) as terminal:
                terminal.pump(options.warm)
                if name != "finished":
                    terminal.press(" ")
                    terminal.pump(options.settle)
                quiet = terminal.silence(2, 60 if name == "finished" else 5)
                before, place = len(terminal.reads), len(terminal.bytes)
                terminal.pump(options.seconds)
                came = bytes(terminal.bytes[place:])
                fault |= bool(came)
                shown = repr(came[:300]).replace("|", "\\|") if came else ""
                rows.append([name, "{}x{}".format(*size), "yes" if quiet else "NO", len(came), len(terminal.frames(before)), shown])
    table(["program", "size", "2 s of silence before", f"B in {options.seconds:g} s", "frames", "what came"], rows)
    return int(fault)


def mode_cost(options):
    """What the screen takes of training's time: the same run with and without it, in turn."""
    train = "{root}/target/release/rematch train {root}/configs/quickstart.toml -s train.epochs=30 -s probe.per_epoch=0 " \
            "-s evaluation.images=0 --runs {runs} --name r"
    seconds = {"screen": [], "none": []}
    for _ in range(options.count):
        for kind in seconds:
            with Scene(train + (" --ui none" if kind == "none" else ""), options) as start, start(options.size[0]) as terminal:
                argv = shlex.split(terminal.command)
                log = pathlib.Path(argv[argv.index("--runs") + 1]) / "r" / "events.jsonl"
                while not (done := log.exists() and re.search(r'"finished".*"train_seconds":([0-9.]+)', log.read_text())):
                    try:
                        terminal.pump(0.5)
                    except Ended:
                        time.sleep(0.1)
                seconds[kind].append(float(done[1]))
    rows = [[kind, statistics.median(all), min(all), max(all), " ".join(f"{one:.2f}" for one in all)] for kind, all in seconds.items()]
    table(["with", "median s", "least", "most", "each"], rows)
    pairs = [100 * (a / b - 1) for a, b in zip(seconds["screen"], seconds["none"])]
    print(f"the screen costs {statistics.median(pairs):+.2f} % (median of {len(pairs)} pairs; {min(pairs):+.2f} to {max(pairs):+.2f} %)")


def mode_keys(options):
    """From a key to the first byte after it, and to the first byte of a frame half as large as its answer usually is.

    The first of the two may be a frame that was due anyway; where a program draws by itself the second is the one to quote.
    """
    rows = []
    for name, template in chosen(options, ["rematch", "finished", "leet", "btop"]):
        keys = options.key or KEYS.get(name, ["?", ESC])
        for size in options.size:
            with Scene(template, options) as start, start(size) as terminal:
                terminal.pump(options.warm)
                answers = {place: [] for place in range(len(keys))}
                before = len(terminal.reads)
                terminal.pump(options.warm)
                spontaneous = len(terminal.frames(before)) / options.warm
                trials = [largest(terminal, keys[turn % len(keys)]) for turn in range(3 * len(keys))]
                enough = [statistics.median(trials[place :: len(keys)]) / 2 for place in range(len(keys))]
                for turn in range(options.count * len(keys)):
                    terminal.pump(random.uniform(0.15, 0.4))
                    terminal.silence(0.03, 5)
                    place, before, pressed, large = turn % len(keys), len(terminal.reads), time.monotonic(), []
                    terminal.press(keys[place])
                    while not large and (left := pressed + 1 - time.monotonic()) > 0:
                        terminal.read(left)
                        large = [frame for frame in terminal.frames(before) if frame[2] >= enough[place]]
                    came = terminal.frames(before)
                    answers[place].append([1000 * (found[0][0] - pressed) if found else None for found in (came, large)])
                for place, key in enumerate(keys):
                    for kind, what in enumerate(("any byte", f"frame of {enough[place]:.0f} B")):
                        times = [one[kind] for one in answers[place] if one[kind] is not None]
                        rows.append([name, "{}x{}".format(*size), repr(key), what, *(part(times, share) for share in (0.5, 0.9, 0.99)),
                                     max(times, default=float("nan")), len(times), len(answers[place]) - len(times), spontaneous])
    print(f"milliseconds from write to arrival; a miss: nothing within 1 s; {'over SSH' if options.ssh else 'local'}")
    table(["program", "size", "key", "until", "p50", "p90", "p99", "max", "answers", "misses", "frames/s by itself"], rows)


def largest(terminal, key):
    """Bytes of the largest frame within half a second of a key."""
    before = len(terminal.reads)
    terminal.press(key)
    terminal.pump(0.5)
    return max((frame[2] for frame in terminal.frames(before)), default=0)


def mode_first(options):
    """From exec to the first whole frame, or to the exit."""
    rows = []
    for name, template in chosen(options, ["rematch", "replay", "leet", "leet-core", "btop"]):
        for size in options.size:
            with Scene(template, options) as start:
                times = [first_frame(start, size) for _ in range(1 + options.count)]
                rows.append([name, "{}x{}".format(*size), "first frame", *summary(times)])
    for template in options.exits or HELPS:
        command = filled(template, options)
        times = []
        for _ in range(1 + options.count):
            began = time.monotonic()
            code = subprocess.run(shlex.split(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=options.cwd).returncode
            times.append(1000 * (time.monotonic() - began))
        rows.append([f"`{command}`", "", f"exit, code {code}", *summary(times)])
    print(f"milliseconds; median and worst of {options.count} with a warm page cache, after one with the page cache as it was found")
    table(["program", "size", "until", "as found", "median", "worst"], rows)


def summary(times):
    return times[0], statistics.median(times[1:]), max(times[1:])


def first_frame(start, size):
    """Until the last byte before 20 ms of silence, with the alternate screen entered and 500 bytes on it."""
    with start(size) as terminal:
        while time.monotonic() < terminal.began + 60:
            quiet = not terminal.read(0.02)
            entered = terminal.bytes.find(ALTERNATE)
            if quiet and entered >= 0 and len(terminal.bytes) - entered - len(ALTERNATE) >= 500:
                return 1000 * (terminal.reads[-1][0] - terminal.began)
    raise SystemExit(f"{terminal.command}: no whole frame in a minute")


def mode_log_run(options):
    """An offline W&B run that logs what a Rematch run would show, until it is told to stop."""
    import math
    import wandb

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run = wandb.init(project="terminals", mode="offline", dir=options.folder)
    began, step = time.monotonic(), 0
    while True:
        fall = math.exp(-step / 2000)
        noise = lambda: random.gauss(0, 0.02)
        run.log({
            "loss/total": 0.3 + 2 * fall + noise(), "loss/ce": 0.5 + 1.8 * fall + noise(), "loss/rep": -1 + fall + noise(),
            "train/natural": 0.85 - 0.7 * fall + noise(), "train/adversarial": 0.5 - 0.4 * fall + noise(),
            "validation/natural": 0.8 - 0.7 * fall + noise(), "validation/adversarial": 0.45 - 0.4 * fall + noise(),
        })
        step += 1
        time.sleep(max(0, began + step / options.rate - time.monotonic()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    size = lambda text: tuple(map(int, text.split("x")))
    all_sizes = [(80, 24), (120, 40), (200, 60)]
    # Seconds of warm-up, seconds measured, how often, sizes.
    defaults = {"bytes": (15, 60, 0, all_sizes), "idle": (10, 20, 0, all_sizes), "keys": (8, 0, 50, all_sizes[1:2]),
                "cost": (0, 0, 8, all_sizes[1:2]), "first": (0, 0, 10, all_sizes[1:2])}
    for mode, (warm, seconds, count, sizes) in defaults.items():
        one = modes.add_parser(mode, help=globals()["mode_" + mode].__doc__)
        one.add_argument("--size", type=size, nargs="+", default=sizes, metavar="COLUMNSxROWS")
        one.add_argument("--only", nargs="+", metavar="NAME", help="these programs and no others")
        one.add_argument("--command", action="append", default=[], metavar="NAME=COMMAND")
        one.add_argument("--root", default=str(ROOT), help="the repository with target/release/rematch [default: this one]")
        one.add_argument("--cwd", default="/tmp", help="where programs start [default: /tmp]")
        one.add_argument("--venv", default="/tmp/leet/v", help="the virtual environment with wandb [default: /tmp/leet/v]")
        one.add_argument("--ssh", action="store_true")
        one.add_argument("--sync", action="store_true", help="answer that mode 2026 is known, as kitty and others do")
        one.add_argument("--no-osc11", action="store_true", help="do not tell the background's colour")
        one.add_argument("--gap", type=float, default=5, help="milliseconds of silence that end a frame")
        one.add_argument("--rate", type=float, default=8.9, help="steps a second in the run that leet watches")
        one.add_argument("--lead", type=float, default=20, help="seconds that this run is old when leet starts")
        one.add_argument("--warm", type=float, default=warm, help=f"seconds before anything is measured [default: {warm}]")
        one.add_argument("--seconds", type=float, default=seconds, help=f"seconds measured [default: {seconds}]")
        one.add_argument("--settle", type=float, default=8, help="seconds after pausing")
        one.add_argument("--count", type=int, default=count, help=f"presses of each key, or starts [default: {count}]")
        one.add_argument("--key", nargs="+", type=lambda key: key.replace("Esc", ESC), help="pressed in turn [default: ? Esc; leet h h]")
        one.add_argument("--exits", action="append", metavar="COMMAND", help="time this to its exit")
    log = modes.add_parser("log-run", help=mode_log_run.__doc__)
    log.add_argument("--folder", required=True)
    log.add_argument("--rate", type=float, default=8.9)
    options = parser.parse_args()
    if options.mode == "log-run":
        return mode_log_run(options)
    print(f"`{shlex.join(sys.argv)}`")
    machine("before")
    code = globals()["mode_" + options.mode](options)
    machine("after")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Ended as end:
        sys.exit(str(end))
