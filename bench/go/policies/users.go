package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"users-service/bench/gen"
)

// As in functions/users/limits.ts.
const (
	readChunkUsers    = 100
	maxUserIDAttempts = 8
)

// users are the two methods that are timed, as in functions/users/methods.
type users struct {
	gen.UnimplementedUsersServer
	store *store
}

func (u users) CreateUser(_ context.Context, request *gen.CreateUserRequest) (*gen.CreateUserResult, error) {
	if err := checkCreateUser(request); err != nil {
		return nil, err
	}
	if request.Password != "" {
		return nil, status.Error(codes.Unimplemented, "passwords are not hashed here, as none is in what is timed")
	}
	it := signUp{
		account:     account{username: request.Username, email: request.Email, createdAt: time.Now()},
		requestID:   strings.ToLower(request.RequestId),
		fingerprint: fingerprintOf(request),
	}
	for range maxUserIDAttempts {
		it.userID = newUserID()
		userID, err := u.store.signUp(it)
		if err == nil {
			user := &gen.User{Username: request.Username, UserId: userID}
			return &gen.CreateUserResult{User: user}, nil
		}
		if !errors.Is(err, errUserIDTaken) {
			return nil, statusOf(err)
		}
	}
	return nil, status.Error(codes.Unavailable, "no user id was free")
}

func (u users) GetUsers(request *gen.GetUsersRequest, stream grpc.ServerStreamingServer[gen.GetUsersResult]) error {
	if err := checkGetUsers(request); err != nil {
		return err
	}
	var names [readChunkUsers]string
	var ids [readChunkUsers]uint32
	var found [readChunkUsers]*account
	for rest := request.User; len(rest) > 0; {
		chunk := rest[:min(readChunkUsers, len(rest))]
		rest = rest[len(chunk):]
		for index, user := range chunk {
			names[index], ids[index] = user.Username, user.UserId
			// An invalid name cannot exist, so it never reaches the store. Nobody has the id zero.
			if user.Username != "" && !isUsername(user.Username) {
				names[index], ids[index] = "", 0
			}
		}
		u.store.find(names[:len(chunk)], ids[:len(chunk)], found[:len(chunk)])
		for index, asked := range chunk {
			if err := stream.Context().Err(); err != nil {
				return err
			}
			if err := stream.Send(resultOf(asked, found[index])); err != nil {
				return err
			}
		}
	}
	return nil
}

func resultOf(asked *gen.User, found *account) *gen.GetUsersResult {
	if found == nil {
		return &gen.GetUsersResult{Result: &gen.GetUsersResult_Missing{Missing: asked}}
	}
	user := &gen.User{Username: found.username, UserId: found.userID}
	return &gen.GetUsersResult{Result: &gen.GetUsersResult_User{User: user}}
}

// newUserID is random, and never zero.
func newUserID() uint32 {
	var bytes [4]byte
	for {
		rand.Read(bytes[:])
		if id := binary.LittleEndian.Uint32(bytes[:]); id != 0 {
			return id
		}
	}
}

// fingerprintOf tells requests apart that come with one request_id. A zero byte is in neither text: they are checked.
func fingerprintOf(request *gen.CreateUserRequest) [sha256.Size]byte {
	return sha256.Sum256([]byte(request.Username + "\x00" + request.Email))
}

func statusOf(err error) error {
	switch {
	case errors.Is(err, errUsernameTaken), errors.Is(err, errEmailTaken):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, errRequestIDReused), errors.Is(err, errRequestIDSpent):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Unavailable, err.Error())
	}
}
