// The Users service on grpc-go with users in DynamoDB by aws-sdk-go-v2, as its documentation shows it: the same items
// as those of functions/users/stores/dynamodb-items.ts, one request for a look-up and one transaction for a sign-up. It
// validates nothing, writes no log, and lets everybody call.
package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"users-service/bench-stores/gen"
)

const (
	// What one BatchGetItem takes.
	batchKeys = 100
	// For how long a request id is remembered.
	requestTTL = 24 * time.Hour
)

type item = map[string]types.AttributeValue

type users struct {
	gen.UnimplementedUsersServer
	client *dynamodb.Client
	table  string
}

func (u *users) GetUsers(request *gen.GetUsersRequest, stream grpc.ServerStreamingServer[gen.GetUsersResult]) error {
	for rest := request.User; len(rest) > 0; {
		some := rest[:min(batchKeys, len(rest))]
		rest = rest[len(some):]
		found, err := u.find(stream.Context(), some)
		if err != nil {
			return status.Error(codes.Unavailable, "the store failed")
		}
		for _, wanted := range some {
			result := &gen.GetUsersResult{Result: &gen.GetUsersResult_Missing{Missing: wanted}}
			if user, ok := found[keyOf(wanted)]; ok {
				result.Result = &gen.GetUsersResult_User{User: user}
			}
			if err := stream.Send(result); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *users) find(ctx context.Context, wanted []*gen.User) (map[string]*gen.User, error) {
	found := make(map[string]*gen.User, len(wanted))
	seen := make(map[string]bool, len(wanted))
	keys := make([]item, 0, len(wanted))
	for _, user := range wanted {
		if key := keyOf(user); !seen[key] {
			seen[key] = true
			keys = append(keys, item{"pk": text(key)})
		}
	}
	asked := map[string]types.KeysAndAttributes{u.table: {
		Keys:                 keys,
		ConsistentRead:       aws.Bool(true),
		ProjectionExpression: aws.String("pk, username, userId, heldUntilMs"),
	}}
	for len(asked) > 0 {
		answer, err := u.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: asked})
		if err != nil {
			return nil, err
		}
		for _, it := range answer.Responses[u.table] {
			if _, held := it["heldUntilMs"]; held {
				continue
			}
			id, err := strconv.ParseUint(numberOf(it["userId"]), 10, 32)
			if err != nil {
				return nil, err
			}
			found[textOf(it["pk"])] = &gen.User{Username: textOf(it["username"]), UserId: uint32(id)}
		}
		asked = answer.UnprocessedKeys
	}
	return found, nil
}

// An id may be another user's by chance: then another one is tried, as ours does.
func (u *users) CreateUser(ctx context.Context, request *gen.CreateUserRequest) (*gen.CreateUserResult, error) {
	result, err := u.signUp(ctx, request)
	if status.Code(err) == codes.AlreadyExists {
		return u.signUp(ctx, request)
	}
	return result, err
}

func (u *users) signUp(ctx context.Context, request *gen.CreateUserRequest) (*gen.CreateUserResult, error) {
	id := newID()
	user := item{"username": text(request.Username), "userId": number(id)}
	name := strings.ToLower(request.Username)
	writes := []types.TransactWriteItem{}
	if request.RequestId != "" {
		expires := uint64(time.Now().Add(requestTTL).Unix())
		writes = append(writes, u.putNew("REQ#"+request.RequestId, user, item{
			"fingerprint": text(name + request.Email), "expiresAt": number(expires),
		}))
	}
	writes = append(writes, u.putNew("NAME#"+name, user, item{"initial": text(name[:1])}))
	account := item{"createdAtMs": number(uint64(time.Now().UnixMilli()))}
	if request.Email != "" {
		account["email"] = text(request.Email)
		owner := item{"userId": number(id)}
		writes = append(writes, u.putNew("MAIL#"+strings.ToLower(request.Email), owner, nil))
	}
	writes = append(writes, u.putNew("USER#"+strconv.FormatUint(id, 10), user, account))
	_, err := u.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		return nil, status.Error(codes.AlreadyExists, "the name or the address is taken")
	}
	if err != nil {
		return nil, status.Error(codes.Unavailable, "the store failed")
	}
	return &gen.CreateUserResult{User: &gen.User{Username: request.Username, UserId: uint32(id)}}, nil
}

func (u *users) putNew(key string, attributes ...item) types.TransactWriteItem {
	whole := item{"pk": text(key)}
	for _, some := range attributes {
		for name, value := range some {
			whole[name] = value
		}
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName:           aws.String(u.table),
		Item:                whole,
		ConditionExpression: aws.String("attribute_not_exists(pk)"),
	}}
}

func keyOf(user *gen.User) string {
	if user.Username != "" {
		return "NAME#" + strings.ToLower(user.Username)
	}
	return "USER#" + strconv.FormatUint(uint64(user.UserId), 10)
}

func text(value string) types.AttributeValue {
	return &types.AttributeValueMemberS{Value: value}
}

func number(value uint64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatUint(value, 10)}
}

func textOf(value types.AttributeValue) string {
	if it, ok := value.(*types.AttributeValueMemberS); ok {
		return it.Value
	}
	return ""
}

func numberOf(value types.AttributeValue) string {
	if it, ok := value.(*types.AttributeValueMemberN); ok {
		return it.Value
	}
	return ""
}

func newID() uint64 {
	var bytes [4]byte
	for {
		rand.Read(bytes[:])
		if id := binary.BigEndian.Uint32(bytes[:]); id > 0 {
			return uint64(id)
		}
	}
}

func main() {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	gen.RegisterUsersServer(server, &users{client: dynamodb.NewFromConfig(settings), table: os.Getenv("USERS_TABLE")})
	log.Fatal(server.Serve(listener))
}
