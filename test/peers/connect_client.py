"""Calls the service with Connect for Python, over whose HTTP client, Rust's hyper, all three protocols go, and says of
each check how it went. The environment names the server: ENDPOINT, and CA_FILE and TOKEN if it needs them; NAME is a
user name that nobody has."""

import os

import checks
from checks import check, equal
from connectrpc.client import ResponseMetadata
from connectrpc.code import Code
from connectrpc.codec import proto_binary_codec, proto_json_codec
from connectrpc.errors import ConnectError
from connectrpc.protocol import ProtocolType
from contract.users_connect import UsersClientSync
from contract.users_types_pb import CreateUserRequest, GetUsersRequest, User
from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport

ENDPOINT = os.environ["ENDPOINT"]
TOKEN = {"authorization": "Bearer " + os.environ["TOKEN"]} if os.environ["TOKEN"] else {}


def open_transport(http_version):
    if not os.environ["CA_FILE"]:
        return SyncHTTPTransport(http_version=http_version)
    with open(os.environ["CA_FILE"], "rb") as ca:
        return SyncHTTPTransport(http_version=http_version, tls_ca_cert=ca.read())


def failure(call):
    """The error that a call ends with."""
    return checks.failure(call, ConnectError)


def check_all(label, protocol, http_version, codec):
    name = f"{os.environ['NAME']}-{label.replace('/', '').replace(' ', '')}"
    client = UsersClientSync(
        ENDPOINT, protocol=protocol, codec=codec, http_client=SyncClient(open_transport(http_version))
    )

    def create(username=name, email="", headers=(), **options):
        request = CreateUserRequest(username=username, email=email)
        return client.create_user(request, headers={**TOKEN, **dict(headers)}, **options)

    def get(*usernames, **options):
        request = GetUsersRequest(user=[User(username=username) for username in usernames])
        return client.get_users(request, headers=TOKEN, **options)

    @check(f"{label}: create a user, with metadata; the request id comes back")
    def _():
        with ResponseMetadata() as response:
            created = create(headers={"ip": "127.0.0.1", "x-request-id": "peer-1"})
        equal(created.user.username, name)
        equal(response.headers.getall("x-request-id"), ["peer-1"])

    @check(f"{label}: stream 1,000 users")
    def _():
        equal([result.user.username for result in get(*[name] * 1000)], [name] * 1000)

    @check(f"{label}: a name that is taken: ALREADY_EXISTS with ErrorInfo")
    def _():
        error = failure(create)
        equal(error.code, Code.ALREADY_EXISTS)
        equal(error.message, "the username is taken")
        info = {detail.type_name: detail.message_bytes for detail in error.details}
        assert b"USERNAME_TAKEN" in info["google.rpc.ErrorInfo"], info

    @check(f"{label}: bad input: INVALID_ARGUMENT with BadRequest")
    def _():
        error = failure(lambda: create("-", "nowhere"))
        equal(error.code, Code.INVALID_ARGUMENT)
        info = {detail.type_name: detail.message_bytes for detail in error.details}
        assert b"email" in info["google.rpc.BadRequest"], info

    # 10,000 take longer than 1 ms to find. Each is another one: the server takes a message for a bomb that gzip makes
    # less than a hundredth of, and this client compresses every request.
    many = [f"{name}-{number}" for number in range(10_000)]

    @check(f"{label}: timeout_ms=1 ends with DEADLINE_EXCEEDED")
    def _():
        error = failure(lambda: list(get(*many, timeout_ms=1)))
        equal(error.code, Code.DEADLINE_EXCEEDED)

    @check(f"{label}: leave a stream, then call again")
    def _():
        users = get(*many)
        next(users)
        users.close()
        equal(len(list(get(name))), 1)


for label, http_version in [("HTTP/1.1", HTTPVersion.HTTP1), ("HTTP/2", HTTPVersion.HTTP2)]:
    check_all(f"Connect over {label}", ProtocolType.CONNECT, http_version, proto_binary_codec())
    check_all(f"Connect JSON over {label}", ProtocolType.CONNECT, http_version, proto_json_codec())
    check_all(f"gRPC-Web over {label}", ProtocolType.GRPC_WEB, http_version, proto_binary_codec())
check_all("gRPC", ProtocolType.GRPC, HTTPVersion.HTTP2, proto_binary_codec())
print("end")
