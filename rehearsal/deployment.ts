import type { DeployedService } from './deployed.ts';
import { isSet } from './template.ts';

/** How a service replaces its tasks. Source: ECS, DeploymentConfiguration, defaults included. */
export interface DeploymentSettings {
  readonly strategy: 'ROLLING' | 'BLUE_GREEN' | 'LINEAR' | 'CANARY';
  readonly minimumHealthyPercent: number;
  readonly maximumPercent: number;
  readonly hasCircuitBreaker: boolean;
  /** Alarms that bring the former version back; none where that is switched off. */
  readonly alarmNames: readonly string[];
  /** What share of the calls goes to the new tasks, in percent, and for how many minutes; 100 comes last. */
  readonly steps: readonly { readonly percent: number; readonly bakeMinutes: number }[];
  readonly graceMs: number;
}

/** Reads the settings of a service. `bakeMinutes`: how long alarms are watched after a rolling deployment. */
export function settingsOf({ properties }: DeployedService, bakeMinutes: number): DeploymentSettings {
  const configuration = properties.DeploymentConfiguration ?? {};
  const { DeploymentCircuitBreaker: breaker, Alarms: alarms, Strategy = 'ROLLING' } = configuration;
  const { CanaryConfiguration: canary, LinearConfiguration: linear } = configuration;
  const isWatched = isSet(alarms?.Enable) && isSet(alarms?.Rollback);
  const lastBake = Strategy === 'ROLLING' ? bakeMinutes : Number(configuration.BakeTimeInMinutes ?? 0);
  const steps: { percent: number; bakeMinutes: number }[] = [];
  if (canary) {
    steps.push({
      percent: Number(canary.CanaryPercent),
      bakeMinutes: Number(canary.CanaryBakeTimeInMinutes),
    });
  }
  for (
    let percent = Number(linear?.StepPercent ?? 100);
    percent < 100;
    percent += Number(linear?.StepPercent)
  ) {
    steps.push({ percent, bakeMinutes: Number(linear?.StepBakeTimeInMinutes) });
  }
  steps.push({ percent: 100, bakeMinutes: lastBake });
  return {
    strategy: Strategy,
    minimumHealthyPercent: Number(configuration.MinimumHealthyPercent ?? 100),
    maximumPercent: Number(configuration.MaximumPercent ?? 200),
    hasCircuitBreaker: isSet(breaker?.Enable) && isSet(breaker?.Rollback),
    alarmNames: isWatched ? (alarms?.AlarmNames ?? []) : [],
    steps,
    graceMs: Number(properties.HealthCheckGracePeriodSeconds ?? 0) * 1000,
  };
}

/**
 * How many tasks of a new version may fail before a deployment does.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeploymentCircuitBreaker.html
 */
export function failureThreshold(desired: number): number {
  return Math.min(200, Math.max(3, Math.ceil(desired / 2)));
}

/** What a rolling deployment may do next. */
export interface Room {
  /** New tasks to start. */
  readonly start: number;
  /** Old tasks to stop. */
  readonly stop: number;
}

/** Tasks that are there, those that drain left out. */
export interface Counts {
  readonly desired: number;
  readonly fresh: number;
  readonly freshHealthy: number;
  readonly old: number;
  readonly oldHealthy: number;
}

/** The next step of a rolling deployment: between the least that must be healthy and the most that may run. */
export function roomFor(
  { desired, fresh, freshHealthy, old, oldHealthy }: Counts,
  settings: Pick<DeploymentSettings, 'minimumHealthyPercent' | 'maximumPercent'>,
): Room {
  const most = Math.floor((desired * settings.maximumPercent) / 100);
  const least = Math.ceil((desired * settings.minimumHealthyPercent) / 100);
  const start = Math.max(0, Math.min(desired - fresh, most - fresh - old));
  // An old task that is not healthy serves nobody.
  const spare = freshHealthy + oldHealthy - least;
  const stop = Math.min(old, Math.max(0, spare) + (old - oldHealthy));
  return { start, stop };
}

/** The old tasks that are stopped, so many of them: those that serve nobody first. */
export function leaving<Task extends { readonly isHealthy: boolean }>(
  old: readonly Task[],
  count: number,
): Task[] {
  return [...old].sort((a, b) => Number(a.isHealthy) - Number(b.isHealthy)).slice(0, count);
}
