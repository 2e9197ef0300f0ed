import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../conformance/tool.ts';
import { root } from '../support/process.ts';

/** What the service is made of when it runs from a clone. */
const cloned = ['.ci', 'client', 'functions', 'proto', 'node_modules', 'package.json', 'package-lock.json'];

/**
 * Makes namespaces a machine whose process 1 is systemd. $1 is an empty folder, $2 a pipe that is written to once it
 * is up; then come pairs: a path of this machine, and where it is seen there. All else of this machine is there too,
 * and what is written there goes with it. Of /proc/sys and /sys nothing can be changed; only what is asked for starts.
 */
const boot = `
set -eu
base=$1 up=$2; shift 2
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
cd "$base/root"
while [ $# -gt 0 ]; do
  mkdir -p "./$(dirname "$2")"
  if [ -d "$1" ]; then mkdir -p "./$2"; else : > "./$2"; fi
  mount --bind -o ro "$1" "./$2"
  shift 2
done
: > up
mount --bind "$up" up
mount -t proc proc proc
mount --bind -o ro proc/sys proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
: > etc/machine-id
for target in sysinit basic multi-user sockets timers network-online; do
  rm -rf {etc,lib,usr/lib}/systemd/system/$target.target.wants
done
printf '[Unit]\\nRequires=up.service\\nWants=systemd-journald.service\\n' > etc/systemd/system/up.target
printf '[Unit]\\nAfter=systemd-journald.service\\n[Service]\\nType=oneshot\\nExecStart=/bin/sh -c "echo > /up"\\n' \\
  > etc/systemd/system/up.service
# Not chroot: a process in one may make no namespace of users, which PrivateUsers= is.
pivot_root . mnt
umount -l /mnt
mount --make-rshared /
exec /usr/bin/env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --system --unit=up.target --log-target=null
`;

/**
 * A machine with systemd, in namespaces of its own: its files are this machine's until it writes to them, its network
 * is a loopback interface alone. Disposal ends all that runs there, and nothing of it remains.
 */
export class SystemdMachine implements AsyncDisposable {
  readonly #unshare: ChildProcess;
  readonly #folder: string;
  #init = 0;

  private constructor(folder: string, mounts: readonly string[]) {
    const base = join(folder, 'machine');
    mkdirSync(base);
    this.#folder = folder;
    const namespaces = ['--pid', '--mount', '--uts', '--ipc', '--cgroup', '--net', '--fork', '--kill-child'];
    this.#unshare = spawn(
      'unshare',
      [...namespaces, 'bash', '-c', boot, 'bash', base, join(folder, 'up'), ...mounts],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
  }

  /** Why there can be none here; undefined if there can. */
  static async missing(): Promise<string | undefined> {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it takes root on Linux';
    const tools = await run('sh', ['-c', 'command -v unshare nsenter nginx logrotate jq curl openssl']);
    if (tools.code !== 0) return 'nginx, logrotate, jq, curl or openssl is missing: .ci/system installs them';
    const { code } = await run('test', ['-x', '/lib/systemd/systemd']);
    return code === 0 ? undefined : 'systemd is missing';
  }

  /** Starts one that has this repository at each of `/opt/users/releases/NAME`. */
  static async start(releases: readonly string[]): Promise<SystemdMachine> {
    const folder = mkdtempSync(join(tmpdir(), 'users-machine-'));
    const pipe = join(folder, 'up');
    execFileSync('mkfifo', [pipe]);
    const mounts = releases.flatMap((release) =>
      cloned.flatMap((name) => [realpathSync(join(root, name)), `/opt/users/releases/${release}/${name}`]),
    );
    const machine = new SystemdMachine(folder, mounts);
    const ended = once(machine.#unshare, 'exit');
    try {
      const isUp = await Promise.race([readFile(pipe).then(() => true), ended.then(() => false)]);
      assert(isUp, 'the machine does not start');
      const { pid } = machine.#unshare;
      machine.#init = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a script of bash there, which ends at the first command that fails. Returns what it printed. */
  async run(script: string): Promise<string> {
    const { code, output } = await this.try(script);
    assert.equal(code, 0, `${script}\n${output}`);
    return output;
  }

  /** The same, where the script may fail. */
  try(script: string) {
    const [command, ...args] = this.command(script);
    return run(command, args);
  }

  /** What runs a script there, as a command of this machine. */
  command(script: string): [string, ...string[]] {
    const there = ['-t', String(this.#init), '-m', '-u', '-i', '-n', '-p', '-C', '-r', '-w'];
    const bash = ['bash', '--norc', '-euo', 'pipefail', '-c', script];
    return ['nsenter', ...there, 'env', '-i', 'HOME=/root', 'LANG=C', `PATH=${path}`, ...bash];
  }

  /** Runs a program of this machine in the network of that one. Returns what it printed. */
  async reach(command: string, ...args: string[]): Promise<string> {
    const { code, output } = await run('nsenter', ['-t', String(this.#init), '-n', command, ...args]);
    assert.equal(code, 0, output);
    return output;
  }

  /** Writes a file there, with its folders. */
  write(file: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.seen(file)), { recursive: true });
    writeFileSync(this.seen(file), text, { mode });
  }

  /** Where a file of that machine is seen from this one. */
  seen(file: string): string {
    return `/proc/${this.#init}/root${file}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unshare.kill('SIGKILL');
    if (this.#unshare.exitCode === null && this.#unshare.signalCode === null)
      await once(this.#unshare, 'exit');
    rmSync(this.#folder, { recursive: true });
  }
}

const path = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
