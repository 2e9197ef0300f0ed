import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { attempt, run } from './command.ts';
import { type ContainerProperties, isSet, type TaskDefinitionProperties } from './template.ts';

/** What a container is started with besides its definition. */
export interface ContainerPlace {
  readonly name: string;
  /** The file of the task's network namespace. */
  readonly namespace: string;
  /** Where its log goes. */
  readonly log: string;
  /** What the platform adds to the environment, secrets included. */
  readonly environment: Readonly<Record<string, string>>;
  /** Further options of podman, for faults that a task must be started with. */
  readonly options: readonly string[];
}

/** Seconds from SIGTERM to SIGKILL where a definition says nothing. Source: ECS, ContainerDefinition.stopTimeout. */
const defaultStopTimeout = 30;
/** What Fargate lets a process open. Source: "Fargate task definition differences", resource limits. */
const defaultOpenFiles = 65_535;

/** A container of a task, run by podman with the limits of its definition. */
export class Container {
  readonly name: string;
  readonly isEssential: boolean;
  readonly log: string;
  readonly stopTimeout: number;
  /** The process that the container is there for. */
  readonly pid: number;

  private constructor(definition: ContainerProperties, place: ContainerPlace, pid: number) {
    this.name = place.name;
    this.log = place.log;
    this.isEssential = definition.Essential === undefined || isSet(definition.Essential);
    this.stopTimeout = Number(definition.StopTimeout ?? defaultStopTimeout);
    this.pid = pid;
  }

  /** @throws CommandFailed when podman can't start it */
  static async start(
    task: TaskDefinitionProperties,
    definition: ContainerProperties,
    place: ContainerPlace,
  ): Promise<Container> {
    const options = [...podmanOptions(task, definition), ...place.options];
    const environment = { ...place.environment };
    for (const { Name, Value } of definition.Environment ?? []) environment[Name] = Value;
    for (const [name, value] of Object.entries(environment)) options.push('--env', `${name}=${value}`);
    options.push('--name', place.name, '--network', `ns:${place.namespace}`);
    options.push('--log-driver', 'k8s-file', '--log-opt', `path=${place.log}`);
    await run('podman', [
      '--runtime',
      'runc',
      'run',
      '--detach',
      ...options,
      definition.Image,
      ...(definition.Command ?? []),
    ]);
    const pid = await run('podman', ['inspect', '--format', '{{.State.Pid}}', place.name]);
    return new Container(definition, place, Number(pid));
  }

  get isRunning(): boolean {
    return processOf(this.pid) !== undefined;
  }

  /** Seconds of CPU that its process has used, and its memory in bytes. */
  get usage(): { cpuSeconds: number; memoryBytes: number } {
    return processOf(this.pid) ?? { cpuSeconds: 0, memoryBytes: 0 };
  }

  /** SIGTERM, and SIGKILL once stopTimeout has passed, as ECS does; then it is removed. Returns the exit code. */
  async stop(): Promise<number> {
    await attempt('podman', ['stop', '--time', this.stopTimeout, this.name]);
    return this.remove();
  }

  async signal(name: 'KILL' | 'TERM' | 'STOP' | 'CONT'): Promise<void> {
    process.kill(this.pid, `SIG${name}`);
  }

  /** Returns the exit code. */
  async remove(): Promise<number> {
    const code = await attempt('podman', ['inspect', '--format', '{{.State.ExitCode}}', this.name]);
    // In sessions of their own: who is impatient with Ctrl-C must not end what cleans up.
    const clean = (...args: string[]) => attempt('setsid', ['--wait', 'podman', ...args, this.name]);
    // A process that hangs outlasts the removal of its container, where `podman stop` was interrupted.
    if (this.isRunning) await clean('kill', '--signal', 'KILL');
    await clean('rm', '--force', '--time', '1', '--volumes');
    return Number(code ?? -1);
  }
}

/** What a container may use at most, as far as its definition or its task's says: no more CPUs than are here. */
export function limitsOf(task: TaskDefinitionProperties, definition: ContainerProperties) {
  const cpu = Number(definition.Cpu || task.Cpu || 0);
  const memory = definition.Memory ?? task.Memory;
  return {
    cpus: cpu > 0 ? Math.min(cpu / 1024, availableParallelism()) : undefined,
    memoryMiB: memory === undefined ? undefined : Number(memory),
  };
}

/** The limits and settings of a definition, as podman takes them. */
function podmanOptions(task: TaskDefinitionProperties, definition: ContainerProperties): string[] {
  const options = ['--pull', 'never', '--security-opt', 'no-new-privileges'];
  const { cpus, memoryMiB } = limitsOf(task, definition);
  if (cpus !== undefined) options.push('--cpus', String(cpus));
  if (memoryMiB !== undefined) options.push('--memory', `${memoryMiB}m`);
  if (isSet(definition.ReadonlyRootFilesystem)) options.push('--read-only', '--read-only-tmpfs=false');
  const { Add = [], Drop = [] } = definition.LinuxParameters?.Capabilities ?? {};
  for (const capability of Drop) options.push('--cap-drop', capability.toLowerCase());
  for (const capability of Add) options.push('--cap-add', capability);
  if (isSet(definition.LinuxParameters?.InitProcessEnabled)) options.push('--init');
  if (definition.User) options.push('--user', definition.User);
  if (definition.WorkingDirectory) options.push('--workdir', definition.WorkingDirectory);
  if (definition.EntryPoint) options.push('--entrypoint', JSON.stringify(definition.EntryPoint));
  const openFiles = definition.Ulimits?.find(({ Name }) => Name === 'nofile');
  const limit = Math.min(Number(openFiles?.HardLimit ?? defaultOpenFiles), mostOpenFiles());
  options.push('--ulimit', `nofile=${limit}:${limit}`, '--ulimit', 'nproc=4096:4096');
  for (const { SourceVolume, ContainerPath, ReadOnly } of definition.MountPoints ?? []) {
    const isShared = task.Volumes?.some(({ Name, EFSVolumeConfiguration }) => {
      return Name === SourceVolume && EFSVolumeConfiguration !== undefined;
    });
    if (isShared) throw new Error(`the volume ${SourceVolume} is on EFS, which a rehearsal does not have`);
    options.push('--volume', isSet(ReadOnly) ? `${ContainerPath}:ro` : ContainerPath);
  }
  return options;
}

/** This machine's own limit, which runc may not raise. */
function mostOpenFiles(): number {
  const [, hard = ''] =
    /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return hard === '' ? defaultOpenFiles : Number(hard);
}

/** Of a process that runs; undefined once it has ended, also while nobody has asked for its exit code yet. */
function processOf(pid: number): { cpuSeconds: number; memoryBytes: number } | undefined {
  try {
    // The name of a command may have spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    if (stat[0] === 'Z' || stat[0] === 'X') return undefined;
    const [user, system, pages] = [stat[11], stat[12], stat[21]].map(Number);
    return { cpuSeconds: ((user ?? 0) + (system ?? 0)) / 100, memoryBytes: (pages ?? 0) * 4096 };
  } catch {
    return undefined;
  }
}
