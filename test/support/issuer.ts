import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fromHere } from './process.ts';

/** How an issuer answers who asks for its keys. `slow`: not before it behaves otherwise. `away`: it hangs up. */
export type Behaviour =
  | 'well'
  | 'slow'
  | 'away'
  | 'error'
  | 'redirect'
  | 'large'
  | 'text'
  | 'list'
  | 'other issuer'
  | 'plain keys'
  | 'no keys'
  | 'many keys';

/** What a test asks of an issuer. */
export type Order =
  | { readonly do: 'add'; readonly name?: string; readonly kid?: string; readonly algorithm: string }
  | { readonly do: 'remove'; readonly name: string }
  | { readonly do: 'sign'; readonly name: string; readonly claims: object; readonly header: object }
  | { readonly do: 'behave'; readonly behaviour: Behaviour }
  | { readonly do: 'count' };

/** Of requests to an issuer: for its description, its keys, and where it redirects to. */
export interface Requests {
  readonly discovery: number;
  readonly keys: number;
  readonly elsewhere: number;
}

/** For whom its tokens are, unless they say otherwise. */
export const audience = 'https://echo.example';

/** An issuer of tokens, as a process of its own. */
export interface Issuer {
  /** As its tokens name it. */
  readonly url: string;
  /** Shows one more key. Returns its name, by which it signs; tokens name it so too, unless it has no `kid`. */
  add(name: string, algorithm?: string, hasKid?: boolean): Promise<string>;
  /** Shows a key no more. */
  remove(name: string): Promise<void>;
  /** A token; by default it is for `audience` and about alexa, and lasts for an hour of the machine's clock. */
  sign(name: string, claims?: object, header?: object): Promise<string>;
  behave(behaviour: Behaviour): Promise<void>;
  count(): Promise<Requests>;
  /** Ends the process: nothing listens any more. */
  kill(): Promise<void>;
}

/** Starts an issuer without keys. It is killed at the end of the test. */
export async function startIssuer(t: TestContext): Promise<Issuer> {
  const path = fileURLToPath(new URL('issuer-process.ts', import.meta.url));
  const child = spawn(process.execPath, [path], { env: fromHere(), stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  t.after(kill);
  const [port] = await once(createInterface(child.stdout), 'line');
  const url = `http://127.0.0.1:${port}`;
  async function order(it: Order): Promise<unknown> {
    const headers = { connection: 'close' };
    const response = await fetch(`${url}/control`, { method: 'POST', body: JSON.stringify(it), headers });
    assert.equal(response.status, 200);
    return ((await response.json()) as { result: unknown }).result; // what the process answers
  }
  return {
    url,
    kill,
    async add(name, algorithm = 'ES256', hasKid = true) {
      await order({ do: 'add', name, algorithm, ...(hasKid && { kid: name }) });
      return name;
    },
    async remove(name) {
      await order({ do: 'remove', name });
    },
    async sign(name, claims = {}, header = {}) {
      const exp = Math.floor(Date.now() / 1000) + 3600;
      const all = { iss: url, aud: audience, sub: 'alexa', exp, ...claims };
      return String(await order({ do: 'sign', name, claims: all, header }));
    },
    async behave(behaviour) {
      await order({ do: 'behave', behaviour });
    },
    async count() {
      return (await order({ do: 'count' })) as Requests; // what the process counts
    },
  };
}
