"""Calls the methods that the first version of the contract does not have, as a client generated from this one does,
and says of each check how it went. The environment is that of client.py."""

import os
import time

import checks
import grpc
import users_pb2_grpc as users_service
import users_types_pb2 as users_messages
from checks import check, equal
from google.protobuf import field_mask_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

NAME = os.environ["NAME"]
PASSWORD = "correct horse"
TOKEN = [("authorization", "Bearer " + os.environ["TOKEN"])] if os.environ["TOKEN"] else []


def open_channel():
    target = os.environ["TARGET"]
    if not os.environ["CA_FILE"]:
        return grpc.insecure_channel(target)
    with open(os.environ["CA_FILE"], "rb") as ca:
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca.read()))


channel = open_channel()
stub = users_service.UsersStub(channel)
KEY = users_messages.UserKey(username=NAME)


def call(method, **fields):
    request = getattr(users_messages, method + "Request")(**fields)
    return getattr(stub, method)(request, metadata=TOKEN, timeout=30)


def refusal(method, **fields):
    """Code and reason of the error that a call ends with."""
    error = checks.failure(lambda: call(method, **fields), grpc.RpcError)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in rpc_status.from_call(error).details)
    return error.code(), info.reason


def listed(prefix):
    """The index of a distributed store learns of a user a little later."""
    end = time.monotonic() + 10
    while True:
        names = [it.username for it in call("ListUsers", username_prefix=prefix).user]
        if names or time.monotonic() > end:
            return names


@check("sign up, and check the password: right, and wrong")
def _():
    user = call("CreateUser", username=NAME, password=PASSWORD, email=NAME + "@example.com").user
    equal(call("CheckPassword", key=KEY, password=PASSWORD).user, user)
    wrong = refusal("CheckPassword", key=KEY, password="another one")
    equal(wrong, (grpc.StatusCode.UNAUTHENTICATED, "WRONG_PASSWORD"))


@check("change what a FieldMask names; an etag that is outdated is ABORTED")
def _():
    before = call("GetAccount", key=KEY).account
    assert before.has_password and before.created_at.ToDatetime().year > 2000
    mask = field_mask_pb2.FieldMask(paths=["password"])
    after = call("UpdateUser", key=KEY, email="not this", update_mask=mask, etag=before.etag).account
    equal((after.email, after.has_password), (NAME + "@example.com", False))
    equal(after.created_at, before.created_at)
    outdated = refusal("UpdateUser", key=KEY, email="a@b.c", etag=before.etag)
    equal(outdated, (grpc.StatusCode.ABORTED, "ETAG_OUTDATED"))


@check("list by the beginning of a name, and remove, twice")
def _():
    equal(listed(NAME.upper()), [NAME])
    equal(call("DeleteUser", key=KEY).user.username, NAME)
    assert not call("DeleteUser", key=KEY).HasField("user")
    equal(refusal("GetAccount", key=KEY), (grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND"))


channel.close()
print("end")
