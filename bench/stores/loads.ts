import type { StoreLoad } from './load/load.ts';

function get(users: number, connections: number, streams: number): StoreLoad {
  const key = `get ${users} ${connections}x${streams}`;
  return {
    key,
    title: `GetUsers of ${users}, ${connections} × ${streams}`,
    kind: 'get',
    users,
    connections,
    streams,
  };
}

function create(connections: number, streams: number): StoreLoad {
  const key = `create ${connections}x${streams}`;
  return {
    key,
    title: `CreateUser, ${connections} × ${streams}`,
    kind: 'create',
    users: 1,
    connections,
    streams,
  };
}

/** What each store is under, connections × streams on each: many calls at a time, some, one. */
export const storeLoads: readonly StoreLoad[] = [
  get(1, 8, 32),
  get(1, 4, 8),
  get(1, 1, 1),
  get(100, 2, 4),
  create(8, 32),
  create(4, 8),
];

/** Signs up those who are looked for, before anything is timed. */
export const fill: StoreLoad = { ...create(4, 16), key: 'fill', title: 'the population', kind: 'fill' };
