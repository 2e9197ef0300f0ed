/** What the console's page and its server tell each other. Types alone: the page and the server both import them. */

/** Answer of `GET /console/service.json`: what can be called. */
export interface ConsoleInfo {
  /** For people, such as `Users service`. */
  readonly title: string;
  readonly version: string;
  /** A `google.protobuf.FileDescriptorSet`, in base64: all services, and google/rpc/error_details.proto. */
  readonly files: string;
  /** Type names in the order to be shown: those of the service first, then health and reflection. */
  readonly services: readonly string[];
  /**
   * What the proto says of a service, method, message, field or enum value, by its full name, such as
   * `Users.CreateUser`.
   */
  readonly comments: Readonly<Record<string, string>>;
  /** A request in JSON to begin with, by the method's full name. Methods without one have an empty request. */
  readonly examples: Readonly<Record<string, unknown>>;
  /** The scopes that a call needs, by path such as `/Users/CreateUser`: `open` needs no credential. */
  readonly scopes: Readonly<Record<string, readonly string[] | 'open'>>;
  /** Whether callers have to say who they are. */
  readonly needsCredential: boolean;
}

/**
 * Answer of `GET /console/live?after=SEQ`: the calls that have ended since, and how the server is. 0 asks for all, and
 * so does a number that is yet to come: the server has been started anew.
 */
export interface LiveAnswer {
  /** The `after` of the next question. */
  readonly last: number;
  /** Calls since `after` that are no longer remembered. */
  readonly missed: number;
  /** The oldest first. */
  readonly calls: readonly LiveCall[];
  readonly figures: LiveFigures;
}

/** A call that has ended. */
export interface LiveCall {
  readonly seq: number;
  /** A path, such as `/Users/CreateUser`. */
  readonly method: string;
  /** `grpc`, `grpc-web`, `connect`, `http` or `local`. */
  readonly protocol: string;
  readonly caller?: string;
  /** Such as `OK` or `DEADLINE_EXCEEDED`. */
  readonly status: string;
  readonly isFault: boolean;
  readonly error?: string;
  /** In ms since the epoch. */
  readonly startedAtMs: number;
  readonly ms: number;
  readonly deadlineMs?: number;
  readonly peer: string;
  readonly requestId: string;
  readonly traceId: string;
  readonly receivedMessages: number;
  readonly receivedBytes: number;
  readonly sentMessages: number;
  readonly sentBytes: number;
  /** Metadata, values only of names that are known to be harmless. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Its parts, in the order of their begin: `gate`, `request`, `handler`, and what the handler has named, such as
   * `store.find`.
   */
  readonly spans: readonly LiveSpan[];
  /** Its lines in the log. */
  readonly log: readonly object[];
}

/** A part of a call; times are from the call's begin. */
export interface LiveSpan {
  readonly name: string;
  readonly startMs: number;
  readonly ms: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly error?: string;
}

/** How the server is at a moment. */
export interface LiveFigures {
  /** In ms since the epoch. */
  readonly atMs: number;
  /**
   * Since the start: calls that ended, those among them that a fault of the server ended (`LiveCall.isFault`), and
   * those that ended with another status than OK and are no fault.
   */
  readonly ended: number;
  readonly faults: number;
  readonly failed: number;
  readonly inFlight: number;
  readonly connections: number;
  /** Of the calls that ended in the last 10 s; `undefined` without any. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /**
   * How late the event loop was since the last question, at most; and the part of the time in which it was busy, 0 to
   * 1.
   */
  readonly eventLoopDelayMs: number;
  readonly eventLoopUtilization: number;
  readonly heldBytes: number;
  readonly heapBytes: number;
  readonly isDraining: boolean;
  /** The store's kind, and why it can't answer now, if so. */
  readonly store: { readonly kind: string; readonly trouble?: string };
}
