"""grpcio (gRPC's C core) as a peer: `peer.py client PORT [CA]` calls our server and prints a line for
each case; `peer.py server` prints its port, and serves until its input ends."""

import queue
import sys
import threading
import time
from concurrent import futures

import grpc

SERVICE = "/plumbline.rpc.Conformance/"
LIMIT_S = 30


def client(port, ca):
    address = f"localhost:{port}"
    # The messages are text without protobuf, so that no code has to be generated.
    if ca is None:
        channel = grpc.insecure_channel(address)
    else:
        with open(ca, "rb") as file:
            channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read()))
    unary = channel.unary_unary(SERVICE + "Unary")
    client_stream = channel.stream_unary(SERVICE + "ClientStream")
    server_stream = channel.unary_stream(SERVICE + "ServerStream")
    bidi = channel.stream_stream(SERVICE + "BidiStream")

    def fails(code, call):
        try:
            call()
        except grpc.RpcError as error:
            assert error.code() == code, error.code()
            return error.details()
        raise AssertionError("it succeeded")

    def echo():
        for text in ("", "hällo ☺", "z" * 1024 * 1024):
            assert unary(text.encode(), timeout=LIMIT_S).decode() == text, len(text)

    def gzip():
        text = b"compress me " * 10_000
        assert unary(text, timeout=LIMIT_S, compression=grpc.Compression.Gzip) == text

    def status():
        details = fails(grpc.StatusCode.NOT_FOUND, lambda: unary(b"fail", timeout=LIMIT_S))
        assert details == "there is no ☺", details

    def metadata():
        sent = (("there", "text"), ("there-bin", bytes(range(256))))
        _, call = unary.with_call(b"metadata", timeout=LIMIT_S, metadata=sent)
        assert ("back", "text") in tuple(call.initial_metadata())
        assert ("back-bin", bytes(range(256))) in tuple(call.trailing_metadata())

    def deadline():
        fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: unary(b"wait", timeout=0.2))

    def nothing_waits():
        until = time.monotonic() + LIMIT_S
        while unary(b"waiting", timeout=LIMIT_S) != b"0":
            assert time.monotonic() < until, "the server still waits"
            time.sleep(0.01)

    def cancel():
        call = unary.future(b"wait", timeout=LIMIT_S)
        while unary(b"waiting", timeout=LIMIT_S) == b"0":
            time.sleep(0.01)
        call.cancel()
        nothing_waits()

    def streamed():
        assert [int(n) for n in server_stream(b"count 1000", timeout=LIMIT_S)] == list(range(1000))

    def bulk():
        octets = 0
        for block in server_stream(b"bulk 64", timeout=LIMIT_S):
            octets += len(block)
            time.sleep(0.002)
        assert octets == 64 * 65_536, octets

    def uploaded():
        assert client_stream((b"abc" for _ in range(1000)), timeout=LIMIT_S) == b"3000"

    def answered_early():
        def requests():
            yield b"enough"
            while True:
                yield b"x" * 65_536

        assert client_stream(requests(), timeout=LIMIT_S) == b"0"

    def both_ways():
        requests = queue.SimpleQueue()
        responses = bidi(iter(requests.get, None), timeout=LIMIT_S)
        for turn in range(100):
            requests.put(b"%d" % turn)
            assert next(responses) == b"%d" % turn
        requests.put(None)
        assert list(responses) == []

    def unknown():
        fails(grpc.StatusCode.UNIMPLEMENTED, lambda: channel.unary_unary(SERVICE + "Missing")(b"", timeout=LIMIT_S))

    def too_large():
        fails(grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: unary(bytes(5 * 1024 * 1024), timeout=LIMIT_S))

    def reconnects():
        def calls():
            for _ in range(50):
                assert unary(b"recycle", timeout=LIMIT_S) == b"recycle"
                assert unary(b"more", timeout=LIMIT_S) == b"more"

        with futures.ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(calls) for _ in range(4)]:
                done.result()

    failed = False
    for case in (
        echo, gzip, status, metadata, deadline, cancel, streamed, bulk, uploaded, answered_early, both_ways, unknown,
        too_large, reconnects,
    ):
        try:
            case()
            print("ok", case.__name__, flush=True)
        except Exception as error:
            failed = True
            print("not ok", case.__name__, repr(error).replace("\n", " "), flush=True)
    channel.close()
    sys.exit(1 if failed else 0)


def server():
    waiting = threading.Semaphore(0)

    def unary(request, context):
        word, _, rest = request.decode().partition(" ")
        if word == "fail":
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no ☺")
        if word == "wait":
            gone = threading.Event()
            context.add_callback(gone.set)
            waiting.release()
            gone.wait(LIMIT_S)
            waiting.acquire()
        if word == "waiting":
            return b"%d" % waiting._value
        if word == "metadata":
            sent = dict(context.invocation_metadata())
            context.send_initial_metadata((("back", sent["there"]),))
            context.set_trailing_metadata((("back-bin", sent["there-bin"]),))
        if word == "gzip":
            context.set_compression(grpc.Compression.Gzip)
            return b"y" * int(rest)
        return request

    def client_stream(requests, _):
        octets = 0
        for request in requests:
            if request == b"enough":
                break
            octets += len(request)
        return b"%d" % octets

    def server_stream(request, _):
        word, _, rest = request.decode().partition(" ")
        for index in range(int(rest)):
            yield bytes(65_536) if word == "bulk" else b"%d" % index

    def bidi(requests, _):
        yield from requests

    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "BidiStream": grpc.stream_stream_rpc_method_handler(bidi),
    }
    running = grpc.server(futures.ThreadPoolExecutor(16))
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plumbline.rpc.Conformance", handlers),))
    print(running.add_insecure_port("127.0.0.1:0"), flush=True)
    running.start()
    sys.stdin.read()
    running.stop(None)


if sys.argv[1] == "client":
    client(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
else:
    server()
