"""The AWS CLI, loaded once for all calls of a rehearsal: each start of it takes half a second of a processor.

`serve FD` performs the calls that a listening socket receives, each in a fork of this process. `call SOCKET
ARGUMENT...` sends one, with its environment, folder and standard streams, and exits as the AWS CLI did.
"""

import json
import os
import pathlib
import socket
import sys
import time
import traceback
import types


def load():
    """Imports what the first call would, and returns the AWS CLI's `main`."""
    from awscli import clidriver
    from awscli.customizations.cloudformation import deployer

    clidriver.create_clidriver()
    # `cloudformation deploy` names a change set by the second, and here a stack can be deployed twice within one.
    deployer.time = types.SimpleNamespace(time=time.time_ns)
    return clidriver.main


def serve(listener: socket.socket):
    main = load()
    while True:
        connection, _ = listener.accept()
        # A fork of a fork, so that nobody has to wait for it.
        if (child := os.fork()) == 0:
            if os.fork() == 0:
                perform(connection, main)
            os._exit(0)
        os.waitpid(child, 0)
        connection.close()


def perform(connection: socket.socket, main):
    """Runs one call, and sends its exit code."""
    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    call = json.loads(connection.recv(int.from_bytes(size), socket.MSG_WAITALL))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(call["folder"])
    found = os.environ["AWS_DATA_PATH"]  # Set by the AWS CLI when it is loaded.
    os.environ.clear()
    os.environ.update(call["environment"] | {"AWS_DATA_PATH": found})
    sys.argv = ["aws", *call["arguments"]]
    code = 255
    try:
        code = main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        for written in (sys.stdout, sys.stderr):
            written.flush()
        connection.sendall(bytes([code or 0]))
        os._exit(0)


def send(path: str, arguments: list[str]) -> int:
    call = {"arguments": arguments, "environment": dict(os.environ), "folder": str(pathlib.Path.cwd())}
    content = json.dumps(call).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [len(content).to_bytes(8)], [0, 1, 2])
        connection.sendall(content)
        code = connection.recv(1)
        return code[0] if code else 255


if __name__ == "__main__":
    command, where, *arguments = sys.argv[1:]
    if command == "serve":
        serve(socket.socket(fileno=int(where)))
    sys.exit(send(where, arguments))
