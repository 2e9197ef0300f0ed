// Command client makes the calls of `npm run bench -- wan` with grpc-go, as ../../wan/typed-client.ts does with ours:
// the same arguments, the same output.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"users-service/bench/gen"
)

const (
	users  = 10_000
	userID = 3_000_000_000
)

type reading struct {
	Parallel int     `json:"parallel"`
	FirstMs  float64 `json:"firstMs"`
	WholeMs  float64 `json:"wholeMs"`
}

func main() {
	address := os.Args[1]
	rounds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := gen.NewUsersClient(connection)
	request := &gen.GetUsersRequest{}
	for index := range users {
		digest := sha256.Sum256([]byte(strconv.Itoa(index)))
		user := &gen.User{Username: hex.EncodeToString(digest[:]), UserId: userID}
		request.User = append(request.User, user)
	}
	call(client, request, 1)
	for _, parallel := range []int{1, 8} {
		for range rounds {
			var calls sync.WaitGroup
			for range parallel {
				calls.Go(func() {
					line, err := json.Marshal(call(client, request, parallel))
					if err != nil {
						log.Fatal(err)
					}
					fmt.Println(string(line))
				})
			}
			calls.Wait()
		}
	}
}

func call(client gen.UsersClient, request *gen.GetUsersRequest, parallel int) reading {
	begun := time.Now()
	ms := func() float64 { return float64(time.Since(begun)) / float64(time.Millisecond) }
	stream, err := client.GetUsers(context.Background(), request)
	if err != nil {
		log.Fatal(err)
	}
	result := reading{Parallel: parallel}
	for count := 0; ; count++ {
		_, err := stream.Recv()
		if count == 0 {
			result.FirstMs = ms()
		}
		if errors.Is(err, io.EOF) && count == users {
			result.WholeMs = ms()
			return result
		}
		if err != nil {
			log.Fatalf("%d results: %v", count, err)
		}
	}
}
