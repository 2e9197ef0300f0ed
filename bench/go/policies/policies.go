package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// As in functions/rpc/limits.ts.
const (
	defaultDeadline = 30 * time.Second
	maxDeadline     = 300 * time.Second
)

const (
	requestIDHeader  = "x-request-id"
	maxRequestIDSize = 128
)

// policies are what every call passes, whatever its method.
type policies struct {
	log *zap.Logger
	// Ids are a random part of the process and a count, as in functions/rpc/call/request-id.ts.
	process string
	count   atomic.Uint64
}

func newPolicies(log *zap.Logger) *policies {
	random := make([]byte, 9)
	rand.Read(random) // it never fails: https://pkg.go.dev/crypto/rand#Read
	return &policies{log: log, process: base64.RawURLEncoding.EncodeToString(random)}
}

// call is one that has begun.
type call struct {
	method    string
	requestID string
	metadata  metadata.MD
	startedAt time.Time
	timeout   time.Duration
}

func (p *policies) unary(
	ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (response any, err error) {
	ctx, cancel, call := p.begin(ctx, info.FullMethod)
	defer cancel()
	defer func() { err = p.end(ctx, call, recover(), err) }()
	if err := grpc.SetHeader(ctx, metadata.Pairs(requestIDHeader, call.requestID)); err != nil {
		return nil, err
	}
	return handler(ctx, request)
}

func (p *policies) stream(
	service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) (err error) {
	ctx, cancel, call := p.begin(stream.Context(), info.FullMethod)
	defer cancel()
	defer func() { err = p.end(ctx, call, recover(), err) }()
	if err := stream.SetHeader(metadata.Pairs(requestIDHeader, call.requestID)); err != nil {
		return err
	}
	return handler(service, timedStream{stream, ctx})
}

// timedStream has the context of the call's deadline.
type timedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s timedStream) Context() context.Context { return s.ctx }

// begin gives a call its id and its deadline: what the client asks for, or the default, and never more than the cap.
func (p *policies) begin(ctx context.Context, method string) (context.Context, context.CancelFunc, *call) {
	it := &call{method: method, startedAt: time.Now(), timeout: defaultDeadline}
	it.metadata, _ = metadata.FromIncomingContext(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		it.timeout = min(deadline.Sub(it.startedAt), maxDeadline)
	}
	if given := it.metadata[requestIDHeader]; len(given) == 1 && isRequestID(given[0]) {
		it.requestID = given[0]
	} else {
		it.requestID = p.process + "-" + strconv.FormatUint(p.count.Add(1), 36)
	}
	ctx, cancel := context.WithDeadline(ctx, it.startedAt.Add(it.timeout))
	return ctx, cancel, it
}

// end decides the status, and writes the line. A method that panics costs its call, and not the process.
func (p *policies) end(ctx context.Context, it *call, panicked any, err error) error {
	if panicked != nil {
		p.log.Error("panic", zap.String("requestId", it.requestID), zap.String("err", fmt.Sprint(panicked)))
		err = status.Error(codes.Internal, "the service has failed")
	} else if err != nil && ctx.Err() != nil {
		err = status.FromContextError(ctx.Err()).Err()
	}
	p.writeLine(ctx, it, err)
	return err
}

// isRequestID tells whether an id is fit for a log: visible ASCII without what would end a text.
func isRequestID(id string) bool {
	if id == "" || len(id) > maxRequestIDSize {
		return false
	}
	for index := range len(id) {
		if it := id[index]; it <= ' ' || it > '~' || it == '"' || it == '\\' {
			return false
		}
	}
	return true
}
