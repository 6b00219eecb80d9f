#!/usr/bin/env python3
"""What asking probes costs: probes.py PROGRAM [N]

N gateways (1000), asked three times over: half by tcp and half by http at a server that answers at
once, then all by http at one that never answers, within 3 s. Prints the time of each run, its
threads and its largest resident memory.
"""
import json, multiprocessing, os, socket, subprocess, sys, tempfile, threading, time


def listen():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(4096)
    return server, server.getsockname()[1]


def answer(server):
    body = b'{"status": "ok"}'
    while True:
        peer, _ = server.accept()
        peer.settimeout(0.5)
        try:
            if peer.recv(4096):
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        except OSError:
            pass
        peer.close()


def keep(server, kept):
    while True:
        kept.append(server.accept()[0])


def run(program, where, gateways):
    with open(f"{where}/conf/config.yaml", "w") as config:
        config.write("gateways:\n" + "".join(gateways))
    command = [program, "--root", f"{where}/root", "--state-dir", f"{where}/state",
               "--config", f"{where}/conf/config.yaml", "--json"]
    for _ in range(3):
        began, peak = time.time(), [0, 0]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)

        def watch():
            while child.poll() is None:
                try:
                    status = dict(l.split(":", 1) for l in open(f"/proc/{child.pid}/status"))
                    peak[0] = max(peak[0], int(status["Threads"]))
                    peak[1] = max(peak[1], int(status["VmHWM"].split()[0]))
                except (OSError, KeyError, ValueError):
                    pass
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        report = json.loads(child.communicate()[0])
        took = time.time() - began
        watcher.join()
        states = {}
        for gateway in report["gateways"]:
            states[gateway["state"]] = states.get(gateway["state"], 0) + 1
        print(f"  {took:.2f} s, {peak[0]} threads, {peak[1] / 1024:.0f} MiB, {states}")


def main():
    program, many = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    where = tempfile.mkdtemp()
    for name in ("root", "conf"):
        os.mkdir(f"{where}/{name}")
    quick, port = listen()
    servers = [multiprocessing.Process(target=answer, args=(quick,), daemon=True) for _ in range(8)]
    for server in servers:
        server.start()
    tcp = f"    probes: [{{tcp: '127.0.0.1:{port}'}}]\n"
    http = f"    probes: [{{http: {{url: 'http://127.0.0.1:{port}/', json: {{status: ok}}}}}}]\n"
    print(f"{many} that answer")
    run(program, where, [f"  - name: g{n}\n{tcp if n % 2 else http}" for n in range(many)])
    for server in servers:
        server.terminate()
    silent, port = listen()
    threading.Thread(target=keep, args=(silent, []), daemon=True).start()
    http = f"    probes: [{{http: {{url: 'http://127.0.0.1:{port}/'}}, timeout: 3s}}]\n"
    print(f"{many} that never answer, 3 s each")
    run(program, where, [f"  - name: g{n}\n{http}" for n in range(many)])


main()
