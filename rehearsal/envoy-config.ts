import { basename } from 'node:path';
import type { Deployed } from './deployed.ts';
import type { KeyValue, TargetGroupProperties } from './template.ts';

/** What Envoy reads: a JSON value, of its API v3. */
export type EnvoyJson = Readonly<Record<string, unknown>>;

/** Where Envoy finds what changes while it runs. */
export interface EnvoyFiles {
  readonly listeners: string;
  readonly routes: (port: number) => string;
  readonly clusters: string;
  readonly endpoints: (groupArn: string) => string;
  readonly certificate: string;
  readonly accessLog: string;
}

/** How Envoy names a message. */
export const typeUrl = (name: string): string => `type.googleapis.com/${name}`;
const source = (path: string) => ({ path_config_source: { path }, resource_api_version: 'V3' });

/** A target group's name in Envoy. */
export const clusterName = (groupArn: string): string => groupArn.split(':').pop() ?? groupArn;

/** What the attributes of a load balancer or a target group say. */
export const attribute = (attributes: readonly KeyValue[] | undefined, key: string): string | undefined =>
  attributes?.find((it) => it.Key === key)?.Value;

/**
 * What an ALB does and Envoy does not: 464 where a request's protocol does not fit the target group, and a trace id.
 * Source: "HTTP 464", https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
 */
const script = `
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("x-amzn-trace-id") == nil then
    local digits = {}
    for i = 1, 24 do digits[i] = string.format("%x", math.random(0, 15)) end
    headers:add("x-amzn-trace-id", string.format("Root=1-%08x-", os.time()) .. table.concat(digits))
  end
  local version = handle:metadata():get("protocolVersion")
  if version == nil then return end
  local isHttp2 = handle:streamInfo():protocol() == "HTTP/2"
  local kind = headers:get("content-type") or ""
  local isGrpc = kind == "application/grpc" or string.find(kind, "^application/grpc[+;]") ~= nil
  local isWrong = (version == "GRPC" and not (isHttp2 and headers:get(":method") == "POST"))
    or (version == "HTTP2" and not isHttp2) or (version == "HTTP1" and isHttp2 and isGrpc)
  if isWrong then handle:respond({[":status"] = "464"}, "") end
end`;

/** What is written of each request, for the metrics that a load balancer has. */
const accessLine = {
  at: '%START_TIME(%s.%3f)%',
  ms: '%DURATION%',
  firstByteMs: '%RESPONSE_DURATION%',
  code: '%RESPONSE_CODE%',
  flags: '%RESPONSE_FLAGS%',
  cluster: '%UPSTREAM_CLUSTER_RAW%',
  target: '%UPSTREAM_HOST%',
  protocol: '%PROTOCOL%',
  path: '%PATH(NQ:ORIG:120)%',
  grpc: '%GRPC_STATUS_NUMBER%',
};

/** A listener. `localPort`: where it is on this machine. */
export function listenerOf(
  deployed: Deployed,
  port: number,
  localPort: number,
  files: EnvoyFiles,
): EnvoyJson {
  const found = deployed.listeners.find(({ listener }) => Number(listener.Port) === port);
  const { listener } = found ?? {};
  if (listener?.MutualAuthentication) throw new Error('a rehearsal has no mutual TLS at the load balancer');
  const attributes = deployed.loadBalancer?.properties.LoadBalancerAttributes;
  const idleTimeout = `${attribute(attributes, 'idle_timeout.timeout_seconds') ?? 60}s`;
  const hasHttp2 = attribute(attributes, 'routing.http2.enabled') !== 'false';
  const isSecure = listener?.Protocol === 'HTTPS';
  const tls = {
    name: 'tls',
    typed_config: {
      '@type': typeUrl('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
      common_tls_context: {
        tls_params: {
          tls_minimum_protocol_version: listener?.SslPolicy?.includes('TLS13-1-3') ? 'TLSv1_3' : 'TLSv1_2',
        },
        alpn_protocols: hasHttp2 ? ['h2', 'http/1.1'] : ['http/1.1'],
        tls_certificate_sds_secret_configs: [{ name: 'certificate', sds_config: source(files.certificate) }],
      },
    },
  };
  const connections = {
    '@type': typeUrl('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: `listener_${port}`,
    rds: { route_config_name: `listener-${port}`, config_source: source(files.routes(port)) },
    http_filters: [
      {
        name: 'envoy.filters.http.lua',
        typed_config: {
          '@type': typeUrl('envoy.extensions.filters.http.lua.v3.Lua'),
          default_source_code: { inline_string: script },
        },
      },
      {
        name: 'envoy.filters.http.router',
        typed_config: {
          '@type': typeUrl('envoy.extensions.filters.http.router.v3.Router'),
          suppress_envoy_headers: true,
        },
      },
    ],
    access_log: [
      {
        name: 'file',
        typed_config: {
          '@type': typeUrl('envoy.extensions.access_loggers.file.v3.FileAccessLog'),
          path: files.accessLog,
          log_format: { json_format: accessLine },
        },
      },
    ],
    use_remote_address: true, // appends the client's address to x-forwarded-for
    internal_address_config: { cidr_ranges: [] },
    generate_request_id: false,
    preserve_external_request_id: true,
    server_header_transformation: 'PASS_THROUGH',
    stream_idle_timeout: idleTimeout,
    // An ALB sends GOAWAY after 10,000 requests of a connection.
    common_http_protocol_options: { idle_timeout: idleTimeout, max_requests_per_connection: 10_000 },
    http2_protocol_options: { max_concurrent_streams: 128 },
    local_reply_config: {
      mappers: [
        // No answer of a target that was chosen is 502; 503 is for a group without targets.
        mapper(['UF', 'UC', 'UR', 'LR', 'UPE', 'URX'], 502),
        mapper(['UT', 'SI'], 504),
      ],
    },
  };
  return {
    '@type': typeUrl('envoy.config.listener.v3.Listener'),
    name: `listener-${port}`,
    address: { socket_address: { address: '127.0.0.1', port_value: localPort } },
    filter_chains: [
      {
        ...(isSecure ? { transport_socket: tls } : {}),
        filters: [{ name: 'http', typed_config: connections }],
      },
    ],
  };
}

function mapper(flags: readonly string[], status: number): EnvoyJson {
  return { filter: { response_flag_filter: { flags } }, status_code: status };
}

/** A target group, as a cluster. */
export function clusterOf(
  arn: string,
  group: TargetGroupProperties,
  deployed: Deployed,
  files: EnvoyFiles,
): EnvoyJson {
  const algorithm = attribute(group.TargetGroupAttributes, 'load_balancing.algorithm.type');
  const attributes = deployed.loadBalancer?.properties.LoadBalancerAttributes;
  const idleTimeout = `${attribute(attributes, 'idle_timeout.timeout_seconds') ?? 60}s`;
  const isHttp2 = group.ProtocolVersion === 'GRPC' || group.ProtocolVersion === 'HTTP2';
  const many = 100_000;
  return {
    '@type': typeUrl('envoy.config.cluster.v3.Cluster'),
    name: clusterName(arn),
    type: 'EDS',
    eds_cluster_config: { eds_config: source(files.endpoints(arn)) },
    connect_timeout: '10s',
    lb_policy: algorithm === 'least_outstanding_requests' ? 'LEAST_REQUEST' : 'ROUND_ROBIN',
    // A load balancer fails open: with no healthy target, it asks them all.
    common_lb_config: { healthy_panic_threshold: { value: 0.5 } },
    ignore_health_on_host_removal: true,
    circuit_breakers: {
      thresholds: [{ max_connections: many, max_pending_requests: many, max_requests: many, max_retries: 0 }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': typeUrl('envoy.extensions.upstreams.http.v3.HttpProtocolOptions'),
        common_http_protocol_options: { idle_timeout: idleTimeout },
        explicit_http_config: isHttp2 ? { http2_protocol_options: {} } : { http_protocol_options: {} },
      },
    },
  };
}

/** A target of a group, for Envoy: in service, out of it, or finishing what it has. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly health: 'HEALTHY' | 'UNHEALTHY' | 'DRAINING';
}

/** The targets of a group. */
export function endpointsOf(arn: string, endpoints: readonly Endpoint[]): EnvoyJson {
  return {
    '@type': typeUrl('envoy.config.endpoint.v3.ClusterLoadAssignment'),
    cluster_name: clusterName(arn),
    endpoints: [
      {
        lb_endpoints: endpoints.map(({ address, port, health }) => ({
          endpoint: { address: { socket_address: { address, port_value: port } } },
          health_status: health,
        })),
      },
    ],
  };
}

/** The certificate that listeners present. */
export function certificateOf(chain: string, key: string): EnvoyJson {
  return {
    '@type': typeUrl('envoy.extensions.transport_sockets.tls.v3.Secret'),
    name: 'certificate',
    tls_certificate: { certificate_chain: { inline_string: chain }, private_key: { inline_string: key } },
  };
}

/** What Envoy is started with. */
export function bootstrapOf(files: EnvoyFiles, adminSocket: string): EnvoyJson {
  return {
    node: { id: basename(adminSocket), cluster: 'rehearsal' },
    admin: { address: { pipe: { path: adminSocket } } },
    dynamic_resources: { lds_config: source(files.listeners), cds_config: source(files.clusters) },
  };
}
