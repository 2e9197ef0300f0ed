import { readFileSync } from 'node:fs';
import { run } from './command.ts';
import type { Container } from './container.ts';
import type { Stage } from './stage.ts';
import { type ContainerProperties, isSet } from './template.ts';

/** Whether the root of a process can't be written to, by what the kernel says. */
export function hasReadOnlyRoot(pid: number): boolean {
  const [, options = ''] = /^\S+ \/ \S+ (\S+)/m.exec(readFileSync(`/proc/${pid}/mounts`, 'utf8')) ?? [];
  return options.split(',').includes('ro');
}

/**
 * Looks how the tasks are confined, by what the kernel says of them.
 *
 * @throws Error where it is not as their definition says
 */
export async function confined(stage: Stage): Promise<void> {
  for (const version of stage.deployed.services) {
    const definitions = version.taskDefinition.ContainerDefinitions;
    for (const { task } of stage.services.get(version.arn)?.tasks.active ?? []) {
      for (const container of task.containers) {
        const definition = definitions.find((it) => container.name.endsWith(`-${it.Name.toLowerCase()}`));
        if (definition) stage.journal.say(`${container.name}: ${await confinement(container, definition)}`);
      }
    }
  }
}

async function confinement({ name, pid }: Container, definition: ContainerProperties): Promise<string> {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (key: string) => RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
  const isReadOnly = hasReadOnlyRoot(pid);
  const capabilities = BigInt(`0x${field('CapEff')}`);
  if (isSet(definition.ReadonlyRootFilesystem) !== isReadOnly)
    throw new Error(`${name}: read-only root ${isReadOnly}`);
  if (definition.LinuxParameters?.Capabilities?.Drop?.includes('ALL') && capabilities !== 0n) {
    throw new Error(`${name} has capabilities: ${field('CapEff')}`);
  }
  const limits = await run('podman', [
    'inspect',
    '--format',
    '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}}',
    name,
  ]);
  const [cpu = 0, memory = 0] = limits.split(' ').map(Number);
  return (
    `user ${field('Uid')}, root ${isReadOnly ? 'read-only' : 'writable'}, capabilities ${field('CapEff')}, ` +
    `${cpu / 1e9} CPU, ${memory / 1024 / 1024} MiB, new privileges ${field('NoNewPrivs') === '1' ? 'none' : 'possible'}`
  );
}
