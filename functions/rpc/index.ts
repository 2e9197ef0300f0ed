/** The face of `rpc/`: a server for connect services, and what services and their mains need of it. */
export { type ApiKey, apiKeyWay } from './auth/api-keys.ts';
export type { AuthOptions, Way } from './auth/auth-gate.ts';
export { type Caller, callerOf, everything, maxNameCharacters } from './auth/caller.ts';
export { type CertificateOptions, certificateWay } from './auth/client-certificate.ts';
export { isIssuerUrl, isLoopback } from './auth/issuer-url.ts';
export { type JwtOptions, loadJwtWay } from './auth/load-jwt.ts';
export type { ScopeTable } from './auth/scopes.ts';
export { isRefusal, type Log } from './call/access-log.ts';
export { callLine, type MetadataDetail, metadataValues } from './call/call-line.ts';
export type { CallObserver, CallRecord } from './call/call-record.ts';
export { clientOf, shareOf } from './call/client-name.ts';
export { onAbort } from './call/context.ts';
export type { Gate, GateRequest } from './call/gate.ts';
export { LatencyLimit, type LatencyLimitOptions } from './call/latency-limit.ts';
export { spend } from './call/quota.ts';
export { connectCodeName, isFault, isServerError, statusName } from './call/status.ts';
export { type Loan, TokenBuckets } from './call/token-buckets.ts';
export { type RpcErrorReason, retryInfo, rpcError, rpcErrors } from './errors.ts';
export type { ErrorResponse, HttpRequest, HttpResource, HttpResponse } from './http/http-resource.ts';
export { acceptsHtml, escapeHtml, pageEnd, pageHeaders, pageStart } from './http/page.ts';
export { type Http2EngineName, http2Engines } from './http2/engine.ts';
export { type RpcLimits, rpcLimitPairs, rpcLimitRanges, rpcLimits } from './limits.ts';
export type { ElementLimit } from './message/measure.ts';
export { inParts } from './message/parts.ts';
export type { TlsOptions } from './port/port.ts';
export { RpcServer } from './server.ts';
export type { RpcServerOptions, ServerFacts, TelemetryOptions, Usage } from './server-options.ts';
export {
  type BadRequest_FieldViolation,
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from './standard/gen/google/rpc/error_details_pb.js';
export { knownHttpMethod } from './telemetry/http-method.ts';
export {
  type Count,
  type Distribution,
  type HistogramPoint,
  type Labels,
  type Metric,
  Metrics,
  type Series,
} from './telemetry/metrics.ts';
export {
  openMetricsText,
  openMetricsType,
  prometheusText,
  prometheusType,
} from './telemetry/open-metrics.ts';
export { type TraceHeaders, traceHeaders } from './telemetry/propagation.ts';
export { RateLimit } from './telemetry/rate-limit.ts';
export { CallTrace, inSpan, type Span, traceOf } from './telemetry/trace.ts';
export type { TracingOptions } from './telemetry/tracing.ts';
