// A gRPC service as a team might have it: Go, gRPC alone, nothing of this repository in it. It shows what an image owes
// to GrpcService: health, an end after SIGTERM, and a log that tells of failed calls.
package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Greet answers with a greeting. Its messages are google.protobuf.StringValue, so that the example needs no generated
// code; SERVICE is the name of the service.
func greet(_ context.Context, name *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	if os.Getenv("FAIL") != "" { // to see a bad version rolled back
		return nil, status.Error(codes.Internal, "this version fails")
	}
	return wrapperspb.String("Hello " + name.GetValue()), nil
}

var description = grpc.ServiceDesc{
	ServiceName: os.Getenv("SERVICE"),
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Greet", Handler: func(
		_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
	) (any, error) {
		request := new(wrapperspb.StringValue)
		if err := decode(request); err != nil {
			return nil, err
		}
		info := &grpc.UnaryServerInfo{FullMethod: "/" + os.Getenv("SERVICE") + "/Greet"}
		return intercept(ctx, request, info, func(ctx context.Context, request any) (any, error) {
			return greet(ctx, request.(*wrapperspb.StringValue))
		})
	}}},
}

// Ends a call at the longest deadline, and writes a line of JSON for it, with fault where the server is to blame: by
// that field GrpcService counts failed calls.
func observe(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
) (answer any, err error) {
	if info.FullMethod == grpc_health_v1.Health_Check_FullMethodName {
		answer, err = handle(ctx, request)
		return answer, refusal(ctx, answer, err)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, milliseconds("MAX_DEADLINE_MS", 300_000))
	defer cancel()
	defer func() {
		if cause := recover(); cause != nil {
			slog.Error("panic", "cause", cause)
			err = status.Error(codes.Internal, "internal error")
		}
		code := status.Code(err)
		isFault := code == codes.Internal || code == codes.Unknown || code == codes.DataLoss
		slog.Info("call", "method", info.FullMethod, "code", code.String(), "fault", isFault,
			"ms", time.Since(began).Milliseconds())
	}()
	return handle(ctx, request)
}

// A load balancer reads the status of a health check and not its answer: NOT_SERVING in an answer with OK is healthy to
// it. So it alone gets the status UNAVAILABLE.
func refusal(ctx context.Context, answer any, err error) error {
	response, isAnswer := answer.(*grpc_health_v1.HealthCheckResponse)
	if err != nil || !isAnswer || response.Status == grpc_health_v1.HealthCheckResponse_SERVING {
		return err
	}
	agent := strings.Join(metadata.ValueFromIncomingContext(ctx, "user-agent"), "")
	if !strings.HasPrefix(agent, "ELB-HealthChecker/") {
		return nil
	}
	return status.Error(codes.Unavailable, response.Status.String())
}

func milliseconds(name string, otherwise int) time.Duration {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		value = otherwise
	}
	return time.Duration(value) * time.Millisecond
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")))
	if err != nil {
		slog.Error("can't listen", "error", err)
		os.Exit(1)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(observe))
	readiness := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, readiness)
	server.RegisterService(&description, nil)

	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		// A task that ends without the load balancer's knowledge: it sends calls until its checks have failed.
		readiness.Shutdown()
		time.Sleep(milliseconds("DRAIN_DELAY_MS", 0))
		timer := time.AfterFunc(milliseconds("DRAIN_TIMEOUT_MS", 10_000), server.Stop)
		defer timer.Stop()
		server.GracefulStop()
	}()
	slog.Info("listening", "address", listener.Addr().String())
	if err := server.Serve(listener); err != nil {
		slog.Error("ended", "error", err)
		os.Exit(1)
	}
}
