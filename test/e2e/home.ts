import assert from 'node:assert/strict';
import { test as nodeTest } from 'node:test';
import { ways } from '../support/transports.ts';

/** What a home can't do by its nature, by the names of tests. docs/homes.md says why. */
export interface Home {
  /** How the names begin of what it can't do. */
  readonly lacks: readonly string[];
  /** How names end of what works all the same. */
  readonly but?: readonly string[];
  /** How names end of what proves nothing where it can't work: the client's own clock may be the first. */
  readonly unproven?: readonly string[];
}

/** Everything: a container, or a machine. */
export const anywhere: Home = { lacks: [] };

/**
 * A Web Function of AWS Lambda, in front of which nothing speaks HTTP/2: so no gRPC, and no method with streams in both
 * directions. The platform names requests itself.
 */
export const webFunction: Home = {
  lacks: [
    ...ways.filter(({ httpVersion }) => httpVersion === '2').map(({ name }) => `${name}: `),
    // By hand, over HTTP/2.
    'the server ends a call at its deadline by itself',
    'the server ends a stream at its deadline by itself',
    'the server ends GetUsers in the middle of its users',
    'every unit of grpc-timeout is understood',
    'methods and services that are not there are UNIMPLEMENTED',
    'the first users arrive before the last can have been sent',
    'one name, many clients at once',
    // Both directions.
    'reflection ',
    // The platform's id comes back, and not that of the client.
    ...ways.filter(({ httpVersion }) => httpVersion === '1.1').map(({ name }) => `${name}: ASCII, binary`),
  ],
  // The client does so by itself.
  but: ['Unicode is refused before it is sent'],
  unproven: ['tiny deadlines end with DEADLINE_EXCEEDED, as in the article'],
};

const homes: ReadonlyMap<string, Home> = new Map([
  ['anywhere', anywhere],
  ['function', webFunction],
]);

/** The home that E2E_HOME names; anywhere without it. @throws Error if there is none of that name */
export function homeFromEnvironment(): Home {
  const { E2E_HOME } = process.env;
  const named = homes.get(E2E_HOME || 'anywhere');
  if (named) return named;
  throw new Error(`E2E_HOME is one of ${[...homes.keys()].join(', ')}, not ${JSON.stringify(E2E_HOME)}`);
}

let home = anywhere;

/** Says where the tests that are defined from now on run. */
export function testsAt(where: Home): void {
  home = where;
}

/** Whether clients have to do without HTTP/2. */
export function isHttp1Only(): boolean {
  return home === webFunction;
}

/**
 * Defines a test, or where the home lacks what it proves, one that fails unless that fails: a list of what can't work
 * must not hide what does.
 */
export function test(name: string, prove: () => Promise<void>): void {
  const isLacking = home.lacks.some((it) => name.startsWith(it));
  if (!isLacking || home.but?.some((it) => name.endsWith(it))) return void nodeTest(name, prove);
  if (home.unproven?.some((it) => name.endsWith(it))) return;
  nodeTest(`not here: ${name}`, async () => {
    await assert.rejects(prove(), 'it works here: take it off the list');
  });
}
