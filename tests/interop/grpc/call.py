#!/usr/bin/env python3
"""Calls a running node as grpcurl would: with grpcio, knowing no message but by reflection.

    call.py SOCKET EXPECTED_SERVICE...

Asks health, lists the services, fetches their descriptors, and calls the client API: status, logs,
entries, a proof, an export, referrals, information, files, people, drafts, approvals, the access log, a
login, and what a careless client would get wrong.
"""

import collections
import pathlib
import sys
import traceback

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

DEADLINE_S = 10


class Details(
    collections.namedtuple("Details", "method timeout metadata credentials wait_for_ready compression"),
    grpc.ClientCallDetails,
):
    """What a call takes along; grpcio gives no class of its own for it."""


class Token(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Shows the token of the node's first account with each call."""

    def __init__(self, path):
        self.shown = ("authorization", f"Bearer {path.read_text().strip()}")

    def call(self, go_on, details, request):
        details = Details(
            details.method,
            details.timeout,
            [*(details.metadata or ()), self.shown],
            details.credentials,
            details.wait_for_ready,
            details.compression,
        )
        return go_on(details, request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = call


class Reflection:
    """The server's own description of itself; v1's messages are those of v1alpha."""

    METHODS = (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    )

    def __init__(self, channel):
        self.channel, self.method = channel, None
        for method in self.METHODS:
            self.method = method
            try:
                self.services = [s.name for s in self.ask(list_services="").list_services_response.service]
                break
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                    raise
        self.pool, self.known = descriptor_pool.DescriptorPool(), set()

    def ask(self, **question):
        call = self.channel.stream_stream(
            self.method,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        request = reflection_pb2.ServerReflectionRequest(**question)
        answer = next(iter(call(iter([request]), timeout=DEADLINE_S)))
        if answer.HasField("error_response"):
            raise LookupError(answer.error_response.error_message)
        return answer

    def add(self, **question):
        """Adds the files of an answer to the pool, each after those that it imports."""
        for raw in self.ask(**question).file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
            if file.name in self.known:
                continue
            self.known.add(file.name)
            for needed in file.dependency:
                if needed not in self.known:
                    self.add(file_by_filename=needed)
            self.pool.Add(file)

    def service(self, name):
        self.add(file_containing_symbol=name)
        return Service(self.channel, self.pool.FindServiceByName(name))


class Service:
    def __init__(self, channel, description):
        self.channel, self.description = channel, description

    def __getattr__(self, method):
        found = self.description.methods_by_name[method]
        question = message_factory.GetMessageClass(found.input_type)
        answer = message_factory.GetMessageClass(found.output_type)
        kind = "unary_stream" if found.server_streaming else "unary_unary"
        call = getattr(self.channel, kind)(
            f"/{self.description.full_name}/{method}",
            request_serializer=question.SerializeToString,
            response_deserializer=answer.FromString,
        )
        return lambda **fields: call(question(**fields), timeout=DEADLINE_S)


def connect(socket):
    # Of itself gRPC's core names the socket's path as the authority, which HTTP/2 does not allow
    # and the node's library refuses (grpc issue 38142); grpcurl takes `-authority localhost`.
    channel = grpc.insecure_channel(f"unix:{socket}", [("grpc.default_authority", "localhost")])
    return grpc.intercept_channel(channel, Token(pathlib.Path(socket).parent / "tokens/operator"))


def refused(call, *codes):
    try:
        call()
    except grpc.RpcError as error:
        assert error.code() in codes, f"{error.code()}: {error.details()}"
        assert error.details(), "a refusal without a sentence"
        return error.details()
    raise AssertionError("the node did not refuse")


def check(socket, expected):
    channel = connect(socket)
    health = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    whole = health.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
    assert whole.status == serving, f"health says {whole.status}"
    refused(
        lambda: health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=DEADLINE_S),
        grpc.StatusCode.NOT_FOUND,
    )

    reflection = Reflection(channel)
    missing = [name for name in expected if name not in reflection.services]
    assert not missing, f"reflection does not list {missing}, only {reflection.services}"

    node = reflection.service("tutti.node.v1.Node")
    status = node.Status()
    assert status.society and status.federation and status.mode == "writing", status
    log = reflection.service("tutti.node.v1.Log")
    logs = {item.origin: item for item in log.List().logs}
    own = next(item for item in logs.values() if item.society == status.society)
    assert own.size > 0 and not own.forked and own.checkpoint.decode().startswith(own.origin + "\n")

    entries = list(log.Entries(origin=own.origin))
    assert [entry.index for entry in entries] == list(range(own.size))
    tail = list(log.Entries(origin=own.origin, start=own.size - 1, count=1))
    assert len(tail) == 1 and tail[0].entry == entries[-1].entry
    proof = log.Prove(origin=own.origin, index=0)
    lines = proof.proof.split(b"\n")
    assert lines[0] == b"c2sp.org/tlog-proof@v1" and b"index 0" in lines[1:3], lines[:3]
    assert proof.entry == entries[0].entry
    pieces = list(log.Export(origin=own.origin, without_bodies=True))
    paths = {piece.path for piece in pieces}
    assert {"checkpoint", "roster/1"} <= paths, paths
    assert not any(path.startswith("bodies/") for path in paths), "bodies though asked for none"

    referrals = reflection.service("tutti.node.v1.Referrals")
    listed = referrals.List(page_size=2)
    assert len(listed.referrals) <= 2
    for short in listed.referrals:
        whole = referrals.Get(id=short.id)
        assert whole.id == short.id and whole.state == short.state and whole.events
        assert not whole.HasField("content"), "a case that nobody asked for"
    reflection.service("tutti.node.v1.Information").List()
    attachments = reflection.service("tutti.node.v1.Attachments")
    for short in listed.referrals:
        for file in attachments.List(id=short.id).attachments:
            assert file.id and file.kind and not file.name, "a file's name that nobody asked for"

    people = reflection.service("tutti.node.v1.People")
    me = people.WhoAmI()
    names = [account.name for account in people.ListAccounts().accounts]
    assert me.account.name in names and "send" in me.may, (me, names)
    drafts = reflection.service("tutti.node.v1.Drafts")
    kept = drafts.Save(form="receiver = 'sg'")
    assert kept.faults and kept.id in [draft.id for draft in drafts.List().drafts], kept
    assert drafts.Get(id=kept.id).form == "receiver = 'sg'"
    drafts.Delete(id=kept.id)
    assert kept.id not in [draft.id for draft in drafts.List().drafts]
    approvals = reflection.service("tutti.node.v1.Approvals").List()
    assert kept.id not in [info.draft for info in [*approvals.waiting, *approvals.own]]
    access = reflection.service("tutti.node.v1.Access").List(count=1)
    assert access.size > 0 and access.key.startswith(status.federation), access

    invalid, unknown = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    login = reflection.service("tutti.node.v1.Login")
    refused(lambda: login.Login(name=me.account.name, password="wrong"), grpc.StatusCode.UNAUTHENTICATED)
    refused(lambda: drafts.Get(id=kept.id), unknown)
    refused(lambda: referrals.Get(id="not an id"), invalid)
    refused(lambda: referrals.Get(id="0" * 32), unknown)
    refused(lambda: referrals.Send(), invalid)
    refused(lambda: log.Prove(origin=own.origin, index=1 << 60), unknown, invalid, grpc.StatusCode.OUT_OF_RANGE)
    refused(lambda: log.Prove(origin="nobody", index=0), unknown, invalid)
    refused(lambda: list(log.Entries(origin="../../etc/passwd")), unknown, invalid)
    print(
        f"services {len(reflection.services)}; logs {len(logs)}; entries {len(entries)};"
        f" referrals {len(listed.referrals)}; export pieces {len(pieces)}"
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        check(sys.argv[1], sys.argv[2:])
    except (AssertionError, LookupError, grpc.RpcError) as problem:
        traceback.print_exc()
        print(f"WRONG  {type(problem).__name__}: {problem}")
        sys.exit(1)
