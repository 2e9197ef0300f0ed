import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { fromHere } from '../support/process.ts';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

/** How to run the command; its environment has nothing else but the PATH. */
export interface Run {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
}

/** The `users` command as a process of its own, and a folder for its files, which goes with it. */
export class UsersCommand implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'users-cli-'));
  readonly endpoint: string;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  /** Starts it, for tests that look while it runs. */
  start(args: readonly string[], { env = {} }: Run = {}) {
    return spawn(process.execPath, [join(root, 'client/users.ts'), ...args], {
      env: {
        ...fromHere(),
        // Dozens of processes compile the same files.
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(this.folder, 'compiled'),
        USERS_ENDPOINT: this.endpoint,
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 20_000,
    });
  }

  /** Runs it to its end. */
  async run(args: readonly string[], how: Run = {}) {
    const child = this.start(args, how);
    child.stdin.end(how.input ?? '');
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    return { out, err, code };
  }

  /** Writes a file; returns its path. */
  file(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}
