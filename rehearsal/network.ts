import { attempt, run } from './command.ts';

/**
 * The network of the tasks: a bridge on this machine, with an address for each task, as a Fargate task has a network
 * interface of its own. Nothing routes from it to anywhere: tasks reach this machine, and nothing else.
 */
export class TaskNetwork implements AsyncDisposable {
  /** The bridge, which names the namespaces too. */
  readonly name: string;
  /** This machine's own address in it, where tasks reach the AWS APIs. */
  readonly gateway: string;

  readonly #prefix: string;
  #used = 0;

  private constructor(name: string, prefix: string) {
    this.name = name;
    this.#prefix = prefix;
    this.gateway = `${prefix}.1`;
  }

  /** Makes the bridge. Takes root. */
  static async create(): Promise<TaskNetwork> {
    const name = `rehearse${process.pid.toString(36)}`.slice(0, 15); // as long as the kernel takes
    const network = new TaskNetwork(name, `10.213.${process.pid % 256}`);
    // An address of its own: a bridge without one takes that of a task, and another one's when that ends.
    const hardware = `02:00:00:00:00:${(process.pid % 256).toString(16).padStart(2, '0')}`;
    await run('ip', ['link', 'add', name, 'address', hardware, 'type', 'bridge']);
    await run('ip', ['address', 'add', `${network.gateway}/24`, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
    return network;
  }

  /** A namespace with an address of its own. */
  async join(): Promise<Place> {
    // The addresses of tasks that ended long ago are free again.
    const number = (this.#used++ % 250) + 2;
    const namespace = `${this.name}-${number}`;
    const address = `${this.#prefix}.${number}`;
    const link = `rh${process.pid.toString(36)}v${number}`.slice(0, 15);
    await attempt('ip', ['netns', 'delete', namespace]);
    await run('ip', ['netns', 'add', namespace]);
    await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace]);
    await run('ip', ['link', 'set', link, 'master', this.name, 'up']);
    const inside = ['-n', namespace];
    await run('ip', [...inside, 'link', 'set', 'lo', 'up']);
    await run('ip', [...inside, 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    await run('ip', [...inside, 'link', 'set', 'eth0', 'up']);
    return { address, namespace: `/run/netns/${namespace}` };
  }

  /** Gives a task's place back. */
  async leave({ namespace }: Place): Promise<void> {
    await attempt('ip', ['netns', 'delete', namespace.replace('/run/netns/', '')]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const namespaces = (await attempt('ip', ['netns', 'list'])) ?? '';
    for (const line of namespaces.split('\n')) {
      const [namespace = ''] = line.split(' ');
      if (namespace.startsWith(`${this.name}-`)) await attempt('ip', ['netns', 'delete', namespace]);
    }
    await attempt('ip', ['link', 'delete', this.name]);
  }
}

/** Where a task is in the network. */
export interface Place {
  readonly address: string;
  /** The file of its network namespace. */
  readonly namespace: string;
}
