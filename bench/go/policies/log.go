package main

import (
	"context"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// As in functions/process/log-output.ts: lines wait for others.
const (
	portionBytes  = 1 << 20
	flushInterval = 250 * time.Millisecond
)

// As in functions/rpc/call/call-line.ts.
const maxMetadataBytes = 1024

// newLog makes a log of JSON lines on standard output.
func newLog() *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		LevelKey:    "level",
		TimeKey:     "time",
		MessageKey:  "msg",
		LineEnding:  "\n",
		EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeTime:  zapcore.TimeEncoderOfLayout("2006-01-02T15:04:05.000Z"),
	})
	output := &zapcore.BufferedWriteSyncer{WS: os.Stdout, Size: portionBytes, FlushInterval: flushInterval}
	return zap.New(zapcore.NewCore(encoder, output, zap.InfoLevel), zap.WithClock(utc{}))
}

type utc struct{}

func (utc) Now() time.Time { return time.Now().UTC() }

func (utc) NewTicker(interval time.Duration) *time.Ticker { return time.NewTicker(interval) }

// writeLine writes the line of a call that ends, with the fields that ours has.
func (p *policies) writeLine(ctx context.Context, it *call, err error) {
	outcome := status.Convert(err)
	entry := p.log.Check(zap.InfoLevel, "call")
	if entry == nil {
		return
	}
	address := ""
	if client, ok := peer.FromContext(ctx); ok {
		address = client.Addr.String()
	}
	fields := make([]zap.Field, 0, 11)
	fields = append(fields,
		zap.String("method", it.method),
		zap.String("protocol", "grpc"),
		zap.Stringer("code", outcome.Code()),
		zap.Float64("ms", milliseconds(time.Since(it.startedAt))),
		zap.String("peer", address),
		zap.String("requestId", it.requestID),
	)
	if traceID, spanID := remoteTrace(it.metadata); traceID != "" {
		fields = append(fields, zap.String("traceId", traceID))
		if spanID != "" {
			fields = append(fields, zap.String("spanId", spanID))
		}
	}
	fields = append(fields,
		zap.Float64("deadlineMs", milliseconds(it.timeout)),
		zap.String("metadata", metadataKeys(it.metadata)),
	)
	if err != nil {
		fields = append(fields, zap.String("error", outcome.Message()))
	}
	entry.Write(fields...)
}

// milliseconds is a time in ms, to the microsecond.
func milliseconds(it time.Duration) float64 { return float64(it.Microseconds()) / 1000 }

// metadataKeys lists the names of a call's metadata. Their values may be secret.
func metadataKeys(of metadata.MD) string {
	var keys strings.Builder
	for name := range of {
		if isProtocolHeader(name) {
			continue
		}
		if keys.Len() > 0 {
			keys.WriteByte(',')
		}
		keys.WriteString(name)
		if keys.Len() > maxMetadataBytes {
			return keys.String()[:maxMetadataBytes] + "…"
		}
	}
	return keys.String()
}

// isProtocolHeader tells what is HTTP's or gRPC's own, as in functions/rpc/call/metadata.ts.
func isProtocolHeader(name string) bool {
	switch name {
	case requestIDHeader, "content-type", "content-length", "content-encoding", "te", "trailer", "date", "host", "accept",
		"accept-encoding":
		return true
	}
	return strings.HasPrefix(name, ":") || strings.HasPrefix(name, "grpc-") || strings.HasPrefix(name, "connect-")
}

// remoteTrace reads the trace and the span of the caller out of `traceparent`, else `X-Amzn-Trace-Id`.
func remoteTrace(of metadata.MD) (traceID, spanID string) {
	if given := of["traceparent"]; len(given) == 1 {
		parts := strings.Split(given[0], "-")
		if len(parts) >= 4 && isHex(parts[1], 32) && isHex(parts[2], 16) {
			return parts[1], parts[2]
		}
	}
	if given := of["x-amzn-trace-id"]; len(given) == 1 {
		for field := range strings.SplitSeq(given[0], ";") {
			name, value, _ := strings.Cut(field, "=")
			switch name {
			case "Root":
				parts := strings.Split(value, "-")
				if len(parts) == 3 && parts[0] == "1" && isHex(parts[1], 8) && isHex(parts[2], 24) {
					traceID = parts[1] + parts[2]
				}
			case "Parent":
				if isHex(value, 16) {
					spanID = value
				}
			}
		}
	}
	return traceID, spanID
}

func isHex(text string, length int) bool {
	if len(text) != length {
		return false
	}
	for index := range length {
		it := text[index]
		if (it < '0' || it > '9') && (it < 'a' || it > 'f') {
			return false
		}
	}
	return true
}
