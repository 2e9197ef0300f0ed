"""The Users service on Python's grpcio, with the thread pool of its tutorials, and the least its methods can do."""

import os
import sys
from concurrent import futures
from pathlib import Path

import grpc

sys.path.insert(0, str(Path(__file__).parents[2] / "proto"))
types = grpc.protos("users_types.proto")
protos, services = grpc.protos_and_services("users.proto")

USER_ID = 3_000_000_000


class Users(services.UsersServicer):
    def CreateUser(self, request, context):
        return types.CreateUserResult(user=types.User(username=request.username, user_id=USER_ID))

    def GetUsers(self, request, context):
        for user in request.user:
            yield types.GetUsersResult(user=types.User(username=user.username, user_id=USER_ID))


server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
services.add_UsersServicer_to_server(Users(), server)
server.add_insecure_port(f"127.0.0.1:{os.environ['PORT']}")
server.start()
server.wait_for_termination()
