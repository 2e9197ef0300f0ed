"""Calls the service as a client generated from the first version of the contract does, and says of each check
how it went. The environment names the server: TARGET, and CA_FILE and TOKEN if it needs them; NAME is a user
name that nobody has."""

import os

import checks
import grpc
import users_pb2_grpc as users_service
import users_types_pb2 as users_messages
from checks import check, equal
from google.rpc import error_details_pb2
from grpc_status import rpc_status

NAME = os.environ["NAME"]
TOKEN = [("authorization", "Bearer " + os.environ["TOKEN"])] if os.environ["TOKEN"] else []


def open_channel():
    target = os.environ["TARGET"]
    if not os.environ["CA_FILE"]:
        return grpc.insecure_channel(target)
    with open(os.environ["CA_FILE"], "rb") as ca:
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca.read()))


def failure(call):
    """The error that a call ends with."""
    return checks.failure(call, grpc.RpcError)


channel = open_channel()
stub = users_service.UsersStub(channel)


def create(name=NAME, **options):
    metadata = TOKEN + options.pop("metadata", [])
    return stub.CreateUser.with_call(
        users_messages.CreateUserRequest(username=name), metadata=metadata, **options
    )


def get(*users, metadata=(), **options):
    request = users_messages.GetUsersRequest(user=users)
    return stub.GetUsers(request, metadata=[*TOKEN, *metadata], **options)


@check("wait 10 s at most until the channel is ready")
def _():
    grpc.channel_ready_future(channel).result(timeout=10)


@check("create a user, with metadata")
def _():
    response, _ = create(metadata=[("ip", "127.0.0.1")])
    equal(response.user.username, NAME)
    assert response.user.user_id > 0


@check("stream users in the order of the request; one who is missing has no user")
def _():
    nobody = users_messages.User(username=NAME + "-nobody")
    results = list(get(users_messages.User(username=NAME), nobody, users_messages.User(username=NAME)))
    equal([result.HasField("user") for result in results], [True, False, True])
    equal([result.user.username for result in results], [NAME, "", NAME])


@check("stream 1,000 users")
def _():
    results = list(get(*[users_messages.User(username=NAME)] * 1000))
    equal([result.user.username for result in results], [NAME] * 1000)


@check("timeout=30")
def _():
    equal(len(list(get(users_messages.User(username=NAME), timeout=30))), 1)


# gRPC's C core rounds up to 1 ms, in which one user may well be found: hence many.
@check("timeout=0.00001 ends with DEADLINE_EXCEEDED")
def _():
    users = [users_messages.User(username=NAME)] * 10_000
    error = failure(lambda: list(get(*users, timeout=0.00001)))
    equal(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)


@check("a name that is taken: ALREADY_EXISTS with ErrorInfo")
def _():
    error = failure(create)
    equal(error.code(), grpc.StatusCode.ALREADY_EXISTS)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in rpc_status.from_call(error).details)
    equal(info.reason, "USERNAME_TAKEN")


@check("bad input: INVALID_ARGUMENT with every violation in BadRequest")
def _():
    request = users_messages.CreateUserRequest(username="-", password="short", email="nowhere")
    error = failure(lambda: stub.CreateUser(request, metadata=TOKEN))
    equal(error.code(), grpc.StatusCode.INVALID_ARGUMENT)
    bad = error_details_pb2.BadRequest()
    assert any(detail.Unpack(bad) for detail in rpc_status.from_call(error).details)
    fields = sorted(violation.field for violation in bad.field_violations)
    equal(fields, ["email", "password", "username"])


@check("the request id comes back in the headers, of a call that fails too")
def _():
    users = get(users_messages.User(username=NAME), metadata=[("x-request-id", "peer-1")])
    equal(dict(users.initial_metadata()).get("x-request-id"), "peer-1")
    list(users)
    error = failure(lambda: create(metadata=[("x-request-id", "peer-2")]))
    found = dict([*error.initial_metadata(), *error.trailing_metadata()])
    equal(found.get("x-request-id"), "peer-2")


@check("binary and repeated metadata")
def _():
    metadata = [("trace-bin", bytes(range(256))), ("tag", "one"), ("tag", "two")]
    equal(len(list(get(users_messages.User(username=NAME), metadata=metadata))), 1)


@check("compressed requests")
def _():
    users = [users_messages.User(username=NAME)] * 500
    results = list(get(*users, compression=grpc.Compression.Gzip))
    equal(len(results), 500)


@check("100 calls at a time on one connection")
def _():
    request = users_messages.GetUsersRequest(user=[users_messages.User(username=NAME)])
    calls = [stub.GetUsers(request, metadata=TOKEN) for _ in range(100)]
    equal([len(list(call)) for call in calls], [1] * 100)


@check("cancel a stream")
def _():
    users = get(*[users_messages.User(username=NAME)] * 10_000)
    next(users)
    users.cancel()
    equal(failure(lambda: list(users)).code(), grpc.StatusCode.CANCELLED)


@check("an unknown method: UNIMPLEMENTED")
def _():
    call = channel.unary_unary("/Users/Nothing")
    equal(failure(lambda: call(b"", metadata=TOKEN)).code(), grpc.StatusCode.UNIMPLEMENTED)


channel.close()
print("end")
