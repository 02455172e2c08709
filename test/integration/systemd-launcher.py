"""What systemd does for a service, as far as a test needs it: `launcher.py SOCKET_DIRECTORY NAMES PROGRAM ARGUMENTS...`.

Binds one free port for each of NAMES (with colons between; none: "-"), keeps the sockets open, receives the notifications
of the program, and starts it, again and again, as the lines on standard input say: start, kill SIGNAL.
Prints what happens as lines of JSON. Written against sd_notify(3) and sd_listen_fds(3), not against the program.
"""
import json, os, signal, socket, subprocess, sys, threading

directory, names, *command = sys.argv[1:]
printing = threading.Lock()


def say(**what):
    with printing:
        print(json.dumps(what), flush=True)


notify = os.path.join(directory, "notify")
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind(notify)

sockets = []
for name in [] if names == "-" else names.split(":"):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    sockets.append(listener)
say(ports=[listener.getsockname()[1] for listener in sockets])


def receive():
    while True:
        message, ancillary, _, _ = receiver.recvmsg(65536, 1024)
        # struct ucred: who sent it, as the kernel says.
        pid = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
        say(pid=pid, message=message.decode())


threading.Thread(target=receive, daemon=True).start()


def pass_sockets():
    """In the child, before the program: the sockets are 3, 4, ... and the variables name its own pid."""
    high = [os.dup2(listener.fileno(), 100 + index) for index, listener in enumerate(sockets)]
    for index, fd in enumerate(high):
        os.dup2(fd, 3 + index, inheritable=True)
        os.close(fd)


def start():
    environment = dict(os.environ, NOTIFY_SOCKET=notify)
    arguments = command
    if sockets:
        environment.update(LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=names)
        # The shell's own pid is the program's after exec.
        arguments = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *command]
    child = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=pass_sockets, close_fds=False)
    say(started=child.pid)
    threading.Thread(target=lambda: say(ended=child.pid, status=child.wait()), daemon=True).start()
    return child


child = None
for line in sys.stdin:
    words = line.split()
    if words[0] == "start":
        child = start()
    elif words[0] == "kill":
        child.send_signal(getattr(signal, words[1]))
if child is not None and child.poll() is None:
    child.kill()
