// Command policies serves Users with grpc-go as our server serves it as shipped, to compare what calls cost: a line of
// JSON a call, request ids, deadlines, validation, users in memory, and those of our limits that grpc-go has. What grpc-go
// lacks (a budget of memory, shares of clients, quotas) is not made up for; nor are methods that are not timed.
package main

import (
	"log"
	"net"
	"os"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"users-service/bench/gen"
)

// As in functions/rpc/limits.ts. Windows are left to grpc-go, which lets them grow.
const (
	maxConnections       = 4096
	maxConcurrentStreams = 256
	maxHeaderBytes       = 64 << 10
	maxRequestBytes      = 1 << 20
	maxMessageBytes      = 4 << 20
	handshakeTimeout     = 10 * time.Second
	idleTimeout          = 4_000 * time.Second
)

func main() {
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")))
	if err != nil {
		log.Fatal(err)
	}
	policies := newPolicies(newLog())
	server := grpc.NewServer(
		grpc.MaxConcurrentStreams(maxConcurrentStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.MaxSendMsgSize(maxMessageBytes),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTimeout}),
		grpc.UnaryInterceptor(policies.unary),
		grpc.StreamInterceptor(policies.stream),
	)
	gen.RegisterUsersServer(server, users{store: newStore()})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	log.Fatal(server.Serve(netutil.LimitListener(listener, maxConnections)))
}
