import { existsSync, readFileSync } from 'node:fs';
import { limitsOf } from './container.ts';
import type { Stage } from './stage.ts';
import { type ContainerProperties, isSet, type TaskDefinitionProperties } from './template.ts';

/** Whether the root of a process can't be written to, by what the kernel says. */
export function hasReadOnlyRoot(pid: number): boolean {
  const [, options = ''] = /^\S+ \/ \S+ (\S+)/m.exec(readFileSync(`/proc/${pid}/mounts`, 'utf8')) ?? [];
  return options.split(',').includes('ro');
}

/** How a process is confined, by what the kernel says of it. */
export interface Confinement {
  readonly uid: string;
  /** The names of the user, as its own files tell them. */
  readonly userName?: string;
  readonly isReadOnly: boolean;
  /** Effective ones, in hexadecimal. */
  readonly capabilities: string;
  readonly hasNoNewPrivileges: boolean;
  /** Undefined: as much as there is. */
  readonly cpus?: number;
  readonly memoryMiB?: number;
}

/**
 * Looks how the tasks are confined, by what the kernel says of them.
 *
 * @throws Error where it is not as their definition says, or there is none to look at
 */
export async function confined(stage: Stage): Promise<void> {
  const problems = stage.deployed.services.flatMap((version) => {
    const active = stage.services.get(version.arn)?.tasks.active ?? [];
    return problemsOf(version.name, version.taskDefinition, active, (container) => {
      const seen = confinementOf(container.pid);
      stage.journal.say(`${container.name}: ${describe(seen)}`);
      return seen;
    });
  });
  if (problems.length > 0) throw new Error(problems.join('\n'));
}

/** What of a service's tasks is not confined as their definition says, a line each. `look`: at a container */
export function problemsOf<Seen extends { readonly name: string }>(
  service: string,
  definition: TaskDefinitionProperties,
  active: readonly { readonly task: { readonly id: string; readonly containers: readonly Seen[] } }[],
  look: (container: Seen) => Confinement,
): string[] {
  if (active.length === 0) return [`${service} has no task`];
  return active.flatMap(({ task: { id, containers } }) => {
    if (containers.length === 0) return [`task ${id} of ${service} has no container`];
    return containers.flatMap((container) => {
      const mine = definition.ContainerDefinitions.find((it) =>
        container.name.endsWith(`-${id}-${it.Name.toLowerCase()}`),
      );
      if (!mine) return [`${container.name} has no definition`];
      return deviations(look(container), definition, mine).map((it) => `${container.name}: ${it}`);
    });
  });
}

/** What is not as a definition says, a line each. */
export function deviations(
  seen: Confinement,
  task: TaskDefinitionProperties,
  definition: ContainerProperties,
): string[] {
  const { cpus, memoryMiB } = limitsOf(task, definition);
  const [user] = definition.User?.split(':') ?? [];
  const mustDropAll = definition.LinuxParameters?.Capabilities?.Drop?.includes('ALL') === true;
  const mustNotGain = definition.DockerSecurityOptions?.includes('no-new-privileges') === true;
  // The kernel counts CPU by the microsecond, memory by the page.
  const differs = (wanted: number | undefined, has = Number.POSITIVE_INFINITY) =>
    wanted !== undefined && Math.abs(has - wanted) > 0.001;
  return [
    isSet(definition.ReadonlyRootFilesystem) !== seen.isReadOnly && `read-only root ${seen.isReadOnly}`,
    mustDropAll && BigInt(`0x${seen.capabilities}`) !== 0n && `capabilities ${seen.capabilities}`,
    mustNotGain && !seen.hasNoNewPrivileges && 'new privileges are possible',
    user && user !== seen.uid && user !== seen.userName && `user ${seen.uid}, not ${user}`,
    differs(cpus, seen.cpus) && `${seen.cpus} CPU, not ${cpus}`,
    differs(memoryMiB, seen.memoryMiB) && `${seen.memoryMiB} MiB, not ${memoryMiB}`,
  ].filter((it) => typeof it === 'string');
}

function confinementOf(pid: number): Confinement {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (key: string) => RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
  const uid = field('Uid');
  const users = `/proc/${pid}/root/etc/passwd`;
  const names = existsSync(users) ? readFileSync(users, 'utf8') : '';
  const memory = limit(pid, 'memory', 'memory.max', 'memory.limit_in_bytes');
  const [quota = 'max', period = limit(pid, 'cpu', '', 'cpu.cfs_period_us')] =
    limit(pid, 'cpu', 'cpu.max', 'cpu.cfs_quota_us')?.split(' ') ?? [];
  return {
    uid,
    userName: RegExp(`^([^:\\n]+):[^:\\n]*:${uid}:`, 'm').exec(names)?.[1],
    isReadOnly: hasReadOnlyRoot(pid),
    capabilities: field('CapEff'),
    hasNoNewPrivileges: field('NoNewPrivs') === '1',
    cpus: Number(quota) > 0 ? Number(quota) / Number(period) : undefined,
    memoryMiB: Number(memory) > 0 ? Number(memory) / 1024 / 1024 : undefined,
  };
}

/** A limit of a process's control group: of version 2, or of 1 with a tree for each controller. */
function limit(pid: number, controller: string, file: string, formerFile: string): string | undefined {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const [, former] = RegExp(`^\\d+:(?:[^:\\n]*,)?${controller}(?:,[^:\\n]*)?:(.*)$`, 'm').exec(groups) ?? [];
  const [, unified = ''] = /^0::(.*)$/m.exec(groups) ?? [];
  const path =
    former === undefined
      ? `/sys/fs/cgroup${unified}/${file}`
      : `/sys/fs/cgroup/${controller}${former}/${formerFile}`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}

function describe(it: Confinement): string {
  return (
    `user ${it.uid}, root ${it.isReadOnly ? 'read-only' : 'writable'}, capabilities ${it.capabilities}, ` +
    `${it.cpus ?? 'any'} CPU, ${it.memoryMiB ?? 'any'} MiB, ` +
    `new privileges ${it.hasNoNewPrivileges ? 'none' : 'possible'}`
  );
}
