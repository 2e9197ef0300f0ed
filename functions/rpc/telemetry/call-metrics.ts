import { Code, type ConnectError } from '@connectrpc/connect';
import { type CallObserver, type CallRecord, unknownPath } from '../call/call-record.ts';
import { isFault, isServerError, ok, statusName } from '../call/status.ts';
import { reasonOf } from '../errors.ts';
import { knownHttpMethod, other } from './http-method.ts';
import type { Count, Distribution, Labels, Metrics, Series } from './metrics.ts';

/** Of durations, in s: they also tell the quick calls apart that a service of memory and batches answers. */
const durationBounds = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  ...[1, 2.5, 5, 10, 30],
];
/** Of sizes, in bytes: 64 B to 16 MiB. */
const sizeBounds = Array.from({ length: 10 }, (_, place) => 64 * 4 ** place);

/** A service names the reasons of its errors: so many are told apart, in case that it makes them up. */
const maxReasons = 200;

const count = '{call}';

/**
 * Counts the calls of a server, by OpenTelemetry's conventions for RPC and HTTP. Whatever clients send, there is a
 * series for each method and status at most: a call's path is known, or the one that stands for all others.
 *
 * @throws Error when another server counts into the same metrics
 */
export function createCallMetrics(metrics: Metrics): CallObserver {
  const instruments = createInstruments(metrics);
  const methods = new Map<string, MethodMetrics>();
  const routes = new Map<string, RouteMetrics>();
  const reasons = new Map<string, Count>();
  let activeCalls = 0;
  metrics.gauge(
    'rpc.server.active_calls',
    { description: 'Calls under way', unit: count },
    () => activeCalls,
  );

  const addMethod = (path: string) => {
    const method = new MethodMetrics(nameOf(path).replace(/^\//, ''), instruments);
    methods.set(path, method);
    return method;
  };
  const countRefusals = (error: ConnectError | undefined, calls: number) => {
    if (error === undefined) return;
    let reason = reasonOf(error) ?? other;
    if (!reasons.has(reason) && reasons.size >= maxReasons) reason = other;
    found(reasons, reason, () => instruments.refusals.of({ reason })).add(calls);
  };
  return {
    begun(call) {
      if (isCounted(call)) activeCalls += 1;
    },
    ended(call, status) {
      if (status !== ok) countRefusals(call.error, 1);
      if (call.protocol === 'http') {
        const route = nameOf(call.method);
        return found(routes, route, () => new RouteMetrics(route, instruments)).ended(call);
      }
      activeCalls -= 1;
      const method = methods.get(call.method) ?? addMethod(call.method);
      method.ended(call, status);
    },
    shed(path, protocol, error, calls) {
      countRefusals(error, calls);
      (methods.get(path) ?? addMethod(path)).shed(protocol, error.code, calls);
    },
  };
}

function nameOf(path: string): string {
  return path === unknownPath ? other : path;
}

/** Plain HTTP has metrics of its own. */
function isCounted(call: CallRecord): boolean {
  return call.protocol !== 'http';
}

type Instruments = ReturnType<typeof createInstruments>;

function createInstruments(metrics: Metrics) {
  const counter = (name: string, description: string, unit = count) =>
    metrics.counter(name, { description, unit });
  const histogram = (name: string, description: string, unit: string, bounds: readonly number[]) =>
    metrics.histogram(name, { description, unit }, bounds);
  return {
    durations: histogram('rpc.server.call.duration', 'Time from headers to status', 's', durationBounds),
    requestSizes: histogram(
      'rpc.server.request.size',
      'Bytes of the messages of a request',
      'By',
      sizeBounds,
    ),
    responseSizes: histogram(
      'rpc.server.response.size',
      'Bytes of the messages of a response',
      'By',
      sizeBounds,
    ),
    requestMessages: counter('rpc.server.request.messages', 'Messages received', '{message}'),
    responseMessages: counter('rpc.server.response.messages', 'Messages sent', '{message}'),
    deadlinesGiven: counter('rpc.server.deadlines.given', 'Calls whose client has asked for a deadline'),
    deadlinesMissed: counter('rpc.server.deadlines.missed', 'Those of them that ended with it'),
    faults: counter('rpc.server.faults', 'Calls that failed through a fault of the server'),
    refusals: counter('rpc.server.refusals', 'Calls that ended with an error, by its reason'),
    httpDurations: histogram(
      'http.server.request.duration',
      'Time from headers to the end of the answer',
      's',
      durationBounds,
    ),
  };
}

/** The series of a method: found when something comes for them, and kept, since a call is shorter than a search. */
class MethodMetrics {
  readonly #method: string;
  readonly #instruments: Instruments;
  /** By status, for each way to speak. */
  readonly #grpc: (Distribution | undefined)[] = [];
  readonly #connect: (Distribution | undefined)[] = [];
  readonly #local: (Distribution | undefined)[] = [];
  readonly #requestSize: Distribution;
  readonly #responseSize: Distribution;
  readonly #requestMessages: Count;
  readonly #responseMessages: Count;
  readonly #deadlinesGiven: Count;
  readonly #deadlinesMissed: Count;
  readonly #faults: Count;

  constructor(method: string, instruments: Instruments) {
    this.#method = method;
    this.#instruments = instruments;
    const of = <T>(series: Series<T>) => series.of({ 'rpc.method': this.#method });
    this.#requestSize = of(instruments.requestSizes);
    this.#responseSize = of(instruments.responseSizes);
    this.#requestMessages = of(instruments.requestMessages);
    this.#responseMessages = of(instruments.responseMessages);
    this.#deadlinesGiven = of(instruments.deadlinesGiven);
    this.#deadlinesMissed = of(instruments.deadlinesMissed);
    this.#faults = of(instruments.faults);
  }

  /** Calls that took no time. */
  shed(protocol: string, status: number, calls: number): void {
    const duration = this.#duration(protocol, status);
    for (let count = 0; count < calls; count++) duration.record(0);
  }

  ended(call: CallRecord, status: number): void {
    const { protocol, receivedMessages, sentMessages } = call;
    const duration = this.#duration(protocol, status);
    // A watch lasts as long as its client wants: that is no duration of ours.
    if (Number.isFinite(call.timeoutMs)) {
      duration.record((call.endedAtMs - call.startedAtMs) / 1000, exemplarOf(call));
    }
    if (call.hasDeadline) {
      this.#deadlinesGiven.add(1);
      if (status === Code.DeadlineExceeded) this.#deadlinesMissed.add(1);
    }
    if (isFault(call.error)) this.#faults.add(1);
    // Within the process messages have no size.
    const hasSize = protocol !== 'local';
    if (receivedMessages > 0) {
      this.#requestMessages.add(receivedMessages);
      if (hasSize) this.#requestSize.record(call.receivedBytes);
    }
    if (sentMessages > 0) {
      this.#responseMessages.add(sentMessages);
      if (hasSize) this.#responseSize.record(call.sentBytes);
    }
  }

  #duration(protocol: string, status: number): Distribution {
    const durations =
      protocol === 'connect' ? this.#connect : protocol === 'local' ? this.#local : this.#grpc;
    return durations[status] ?? this.#find(durations, protocol, status);
  }

  #find(durations: (Distribution | undefined)[], protocol: string, status: number): Distribution {
    // A service may throw an error with any number.
    const known = status === ok || status in Code ? status : Code.Unknown;
    const name = statusName(known);
    const labels: Labels = {
      'rpc.method': this.#method,
      'rpc.system.name': systems[protocol] ?? protocol,
      'rpc.status_code': name,
      ...(isServerError(known) && { 'error.type': name }),
    };
    const duration = durations[known] ?? this.#instruments.durations.of(labels);
    durations[known] = duration;
    return duration;
  }
}

/** As the convention names what is spoken. */
const systems: Readonly<Record<string, string>> = {
  grpc: 'grpc',
  'grpc-web': 'grpc',
  connect: 'connectrpc',
  local: 'local',
};

/** The series of a path of plain HTTP. */
class RouteMetrics {
  readonly #route: string;
  readonly #instruments: Instruments;
  readonly #durations = new Map<string, Map<number | undefined, Distribution>>();

  constructor(route: string, instruments: Instruments) {
    this.#route = route;
    this.#instruments = instruments;
  }

  ended(call: CallRecord): void {
    const method = knownHttpMethod(call.http?.method);
    const status = call.http?.status;
    const byStatus = found(this.#durations, method, () => new Map<number | undefined, Distribution>());
    const duration = found(byStatus, status, () =>
      this.#instruments.httpDurations.of({
        'http.route': this.#route,
        'http.request.method': method,
        // There is none where the client was gone before.
        ...(status !== undefined && { 'http.response.status_code': String(status) }),
      }),
    );
    duration.record((call.endedAtMs - call.startedAtMs) / 1000, exemplarOf(call));
  }
}

/** The trace of a call, where that is kept: one that is sampled, or a fault. */
function exemplarOf({ trace, error }: CallRecord): CallRecord['trace'] {
  return trace !== undefined && (trace.isSampled || isFault(error)) ? trace : undefined;
}

function found<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let it = map.get(key);
  if (it === undefined) {
    it = make();
    map.set(key, it);
  }
  return it;
}
