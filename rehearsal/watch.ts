import type { Deployed } from './deployed.ts';

/** What a service asks whether a deployment may go on. */
export interface Watch {
  /** How long a minute lasts for alarms and for the time that a deployment bakes. */
  readonly minuteMs: number;
  /** For how many minutes alarms are watched after a rolling deployment, which ECS computes from them. */
  bakeMinutes(alarmNames: readonly string[]): number;
  /** The first of the alarms that is in the state ALARM. */
  firing(alarmNames: readonly string[]): string | undefined;
  /** Whether none of the alarms is on, or about to go off by what has been. */
  areCalm(alarmNames: readonly string[]): boolean;
  /** Takes over what is deployed now. */
  configure(deployed: Deployed): void;
}
