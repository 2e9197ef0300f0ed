import type { CallObserver, Log, Metrics, RpcLimits, TracingOptions } from '../../rpc/index.ts';
import type { TelemetryConfig } from './settings.ts';

/** What a server is given to be watched, and how that ends. */
export interface Telemetry {
  /** `undefined` where no traces are sent. */
  readonly tracing: TracingOptions | undefined;
  readonly observers: readonly CallObserver[];
  /** Sends what is left, within some seconds, and ends. Resolves whatever becomes of it. */
  close(): Promise<void>;
}

/** How much is recorded. */
export type TelemetryLimits = Pick<RpcLimits, 'maxRemoteSampledPerSecond' | 'maxFaultTracesPerSecond'>;

/**
 * Begins to send traces and metrics by OTLP, where the settings say so. What does it is loaded then: who sends nothing
 * does not load it.
 *
 * @param metrics what is sent; how many spans were sent or lost is counted in it
 * @param log is told when nothing can be sent, at a bounded rate
 */
export async function startTelemetry(
  { tracing, otlp }: TelemetryConfig,
  limits: TelemetryLimits,
  metrics: Metrics,
  log: Pick<Log, 'info' | 'warn'>,
): Promise<Telemetry> {
  if (otlp === undefined) return { tracing: undefined, observers: [], close: async () => {} };
  const { openOtlp } = await import('./otlp.ts');
  return openOtlp(tracing, otlp, limits, metrics, log);
}
