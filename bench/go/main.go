// The Users service on grpc-go with the least that its methods can do, as in ../servers/answers.ts.
package main

import (
	"context"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"

	"users-service/bench/gen"
)

const userID = 3_000_000_000

type users struct {
	gen.UnimplementedUsersServer
}

func (users) CreateUser(_ context.Context, request *gen.CreateUserRequest) (*gen.CreateUserResult, error) {
	return &gen.CreateUserResult{User: &gen.User{Username: request.Username, UserId: userID}}, nil
}

func (users) GetUsers(request *gen.GetUsersRequest, stream grpc.ServerStreamingServer[gen.GetUsersResult]) error {
	for _, user := range request.User {
		found := &gen.GetUsersResult_User{User: &gen.User{Username: user.Username, UserId: userID}}
		if err := stream.Send(&gen.GetUsersResult{Result: found}); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	gen.RegisterUsersServer(server, users{})
	log.Fatal(server.Serve(listener))
}
