import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployed, DeployedService } from './deployed.ts';
import { attribute, type Endpoint } from './envoy-config.ts';
import type { Weights } from './envoy-routes.ts';
import { healthCheckOf } from './health-check.ts';
import type { LoadBalancer } from './load-balancer.ts';
import type { Member, Registration } from './member.ts';

/** How long a target group lets a target finish its calls where it does not say. Source: ELB, deregistration_delay. */
const defaultDelaySeconds = 300;
/** Between two looks whether calls are still under way. */
const lookMs = 250;

/** The target groups of a stack: who is in them, and whether calls go there. */
export class Targets {
  readonly #balancer: LoadBalancer;
  #deployed: Deployed;

  constructor(balancer: LoadBalancer, deployed: Deployed) {
    this.#balancer = balancer;
    this.#deployed = deployed;
  }

  /** Takes over what is deployed now. */
  configure(deployed: Deployed): void {
    this.#deployed = deployed;
    this.#balancer.configure(deployed);
  }

  /** The target groups that a task of a service is in. `isAlternate`: those of the other side, where there are two. */
  registrationsOf({ properties }: DeployedService, isAlternate: boolean): Registration[] {
    const groups = this.#deployed.targetGroups;
    return (properties.LoadBalancers ?? []).map(
      ({ TargetGroupArn, ContainerPort, AdvancedConfiguration: pair }) => {
        const groupArn = isAlternate && pair ? pair.AlternateTargetGroupArn : TargetGroupArn;
        const group = groups.get(groupArn);
        if (!group) throw new Error(`the target group ${groupArn} is not of the stack`);
        return { groupArn, port: Number(ContainerPort), check: healthCheckOf(group) };
      },
    );
  }

  /** Tells the load balancer who is in a group. A target gets calls once it is healthy. */
  publish(groupArn: string, members: readonly Member[]): void {
    const endpoints = members.flatMap((member): Endpoint[] => {
      const registration = member.registrations.find((it) => it.groupArn === groupArn);
      const health = member.healthIn(groupArn);
      if (!registration || health === 'initial' || member.isOut) return [];
      const { address } = member.task;
      const state = health === 'healthy' ? 'HEALTHY' : 'UNHEALTHY';
      return [{ address, port: registration.port, health: member.isDraining ? 'DRAINING' : state }];
    });
    this.#balancer.setTargets(groupArn, endpoints);
  }

  /**
   * Waits until a task has no call under way, for as long as its target groups let it. On AWS the whole delay passes
   * before SIGTERM, which takes minutes in which nothing happens. A task that is ending already has ended before.
   */
  async drain(member: Member): Promise<{ seconds: number; left: number }> {
    const groups = this.#deployed.targetGroups;
    const delays = member.registrations.map(({ groupArn }) => {
      const attributes = groups.get(groupArn)?.TargetGroupAttributes;
      return Number(attribute(attributes, 'deregistration_delay.timeout_seconds') ?? defaultDelaySeconds);
    });
    const delayMs = Math.max(0, ...delays) * 1000;
    const beganMs = performance.now();
    let left = 0;
    do {
      await sleep(lookMs);
      left = await this.#balancer.activeRequests(member.task.address);
    } while ((left > 0 || member.isEnding) && member.task.isRunning && performance.now() - beganMs < delayMs);
    return { seconds: (performance.now() - beganMs) / 1000, left };
  }

  shift(ruleArn: string, weights: Weights): void {
    this.#balancer.shift(ruleArn, weights);
  }
}
