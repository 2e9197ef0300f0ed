import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Container } from './container.ts';
import type { DeployedService } from './deployed.ts';
import type { Place, TaskNetwork } from './network.ts';

/** What tasks run on, in place of Fargate. */
export interface Platform {
  readonly network: TaskNetwork;
  /** The environment that the platform gives to every container. */
  readonly environment: Readonly<Record<string, string>>;
  /** The folder of the logs. */
  readonly logs: string;
  /** The text of a secret, by its ARN. */
  readSecret(arn: string): Promise<string>;
  /** Says what a rehearsal leaves out. */
  leaveOut(what: string): void;
}

/** Images of the stack's own; those of others can't be pulled. */
const ownImage = /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com\//;

/** How a task ended. */
export interface Stopped {
  /** Of its first essential container. */
  readonly exitCode: number;
  /** From SIGTERM on. */
  readonly seconds: number;
}

/** A task: its containers, in a network namespace of their own. */
export class Task {
  readonly id: string;
  /** Where it is reached. */
  readonly address: string;
  /** The task definition that it was made from. */
  readonly revision: string;
  readonly containers: readonly Container[];
  readonly startedMs: number;

  readonly #place: Place;
  readonly #platform: Platform;

  private constructor(
    id: string,
    revision: string,
    place: Place,
    platform: Platform,
    containers: Container[],
  ) {
    this.id = id;
    this.revision = revision;
    this.address = place.address;
    this.containers = containers;
    this.startedMs = performance.now();
    this.#place = place;
    this.#platform = platform;
  }

  /**
   * Starts the containers of a task.
   *
   * @param options of podman, for faults that a task must be started with
   * @throws CommandFailed when one can't be started; those before it are gone then
   */
  static async start(
    service: DeployedService,
    platform: Platform,
    options: readonly string[] = [],
  ): Promise<Task> {
    const id = randomBytes(4).toString('hex');
    const { taskDefinition } = service;
    const place = await platform.network.join();
    const containers: Container[] = [];
    try {
      for (const definition of taskDefinition.ContainerDefinitions) {
        if (!ownImage.test(definition.Image) && !definition.Image.startsWith('localhost/')) {
          platform.leaveOut(`the container ${definition.Name}, whose image ${definition.Image} is of others`);
          continue;
        }
        if (definition.HealthCheck) platform.leaveOut(`the health check of the container ${definition.Name}`);
        const name = `${platform.network.name}-${id}-${definition.Name.toLowerCase()}`;
        const environment: Record<string, string> = { ...platform.environment };
        for (const { Name, ValueFrom } of definition.Secrets ?? []) {
          environment[Name] = await platform.readSecret(ValueFrom);
        }
        const { namespace } = place;
        const log = join(platform.logs, `${name}.log`);
        containers.push(
          await Container.start(taskDefinition, definition, { name, namespace, log, environment, options }),
        );
      }
    } catch (error) {
      await Promise.all(containers.map((it) => it.remove()));
      await platform.network.leave(place);
      throw error;
    }
    const revision = service.taskDefinitionArn.replace(/^.*\//, '');
    return new Task(id, revision, place, platform, containers);
  }

  /** A task is there as long as its essential containers are. */
  get isRunning(): boolean {
    return this.containers.every((it) => it.isRunning || !it.isEssential);
  }

  /** Seconds of CPU that it has used, and its memory in bytes. */
  get usage(): { cpuSeconds: number; memoryBytes: number } {
    const usages = this.containers.map((it) => it.usage);
    return {
      cpuSeconds: usages.reduce((sum, it) => sum + it.cpuSeconds, 0),
      memoryBytes: usages.reduce((sum, it) => sum + it.memoryBytes, 0),
    };
  }

  /** SIGTERM to all containers, SIGKILL to those that outlast their stopTimeout, as ECS does. */
  async stop(): Promise<Stopped> {
    const beganMs = performance.now();
    const ended = await Promise.all(
      this.containers.map(async (it) => ({ exitCode: await it.stop(), isEssential: it.isEssential })),
    );
    await this.#platform.network.leave(this.#place);
    const exitCode = ended.find((it) => it.isEssential)?.exitCode ?? -1;
    return { exitCode, seconds: (performance.now() - beganMs) / 1000 };
  }

  /** Ends it at once, and takes it away. */
  async remove(): Promise<void> {
    await Promise.all(this.containers.map((it) => it.remove()));
    await this.#platform.network.leave(this.#place);
  }

  /** Sends a signal to its essential containers, of which nobody is told. */
  async signal(name: 'KILL' | 'TERM' | 'STOP' | 'CONT'): Promise<void> {
    for (const container of this.containers.filter((it) => it.isEssential)) await container.signal(name);
  }
}
