import { join } from 'node:path';
import type { Limits } from '../../limits.ts';
import { noEvents, type StoreError, type StoreEvents, type UserStore } from '../store.ts';
import { lateStore } from './late.ts';

type Warn = (line: string) => void;
type Fail = (error: StoreError) => void;

/**
 * How each store is opened with its own settings, by the name that USERS_STORE has for it. A new store is a file beside
 * this one and an entry here. A store is loaded when it is opened: the AWS parts alone take longer to load than all the
 * rest.
 */
const stores = {
  /** `dataFolder` is made when it is missing. */
  async sqlite(
    { dataFolder }: { readonly dataFolder: string },
    limits: Limits,
    _: StoreEvents,
    warn: Warn,
  ): Promise<UserStore> {
    const { openSqliteStore } = await import('./sqlite.ts');
    return openSqliteStore({ path: join(dataFolder, 'users.sqlite'), limits, warn });
  },
  /**
   * Without `endpoint`, environment and region say it. With `opensLate` nothing of it is loaded before the first call,
   * beside which it is tried.
   */
  async dynamodb(
    {
      table,
      endpoint,
      opensLate = false,
    }: { readonly table: string; readonly endpoint?: string; readonly opensLate?: boolean },
    limits: Limits,
    events: StoreEvents,
    _: Warn,
    fail: Fail,
  ): Promise<UserStore> {
    const open = async (onUnusable?: Fail) => {
      const { openDynamoStore } = await import('./dynamodb.ts');
      return openDynamoStore({ table, endpoint, limits, events, onUnusable });
    };
    return opensLate ? lateStore('aws.dynamodb', () => open(fail)) : open();
  },
  async memory(_: object, limits: Limits): Promise<UserStore> {
    const { memoryStore } = await import('./memory.ts');
    return memoryStore({ limits });
  },
};

/** The name of a store. */
export type StoreKind = keyof typeof stores;

/** The settings of the store of a kind. */
export type StoreConfigOf<K extends StoreKind> = { readonly kind: K } & Parameters<(typeof stores)[K]>[0];

/** Where the users are kept: the kind of store, and its settings. */
export type StoreConfig = { [K in StoreKind]: StoreConfigOf<K> }[StoreKind];

/** The names of all stores. */
export const storeKinds: readonly StoreKind[] = kindsOf(stores);

/**
 * Opens the store of these settings.
 *
 * @param events is told of what the store does that its callers do not see. Default: nobody
 * @param warn is told in one line what may be wrong with a store that can be opened all the same. Default: nobody
 * @param fail is told in a StoreError that a store which was opened late can't be used. Default: it is thrown, by
 *   nobody's call
 * @throws StoreError with one line that says why it can't be opened
 */
export function openStore<K extends StoreKind>(
  config: StoreConfigOf<K>,
  limits: Limits,
  events: StoreEvents = noEvents,
  warn: Warn = () => {},
  fail: Fail = (error) => {
    throw error;
  },
): Promise<UserStore> {
  const byKind: {
    [Kind in StoreKind]: (
      config: StoreConfigOf<Kind>,
      limits: Limits,
      events: StoreEvents,
      warn: Warn,
      fail: Fail,
    ) => Promise<UserStore>;
  } = stores;
  return byKind[config.kind](config, limits, events, warn, fail);
}

/** `Object.keys` would lose the type. */
function kindsOf<T extends object>(table: T): Extract<keyof T, string>[] {
  const kinds: Extract<keyof T, string>[] = [];
  for (const kind in table) kinds.push(kind);
  return kinds;
}
