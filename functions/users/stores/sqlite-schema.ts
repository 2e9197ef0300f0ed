import { DatabaseSync } from 'node:sqlite';
import { folded } from './folded.ts';

/**
 * What makes a file of each version from one of the version before, the first from an empty one. A step that is
 * released never changes: files that it made are in use, and test/users/stores/released/ has the schema of each.
 *
 * `*_key` is the text as `folded` makes it, which the steps may call. An `etag` that is NULL is `firstEtag`.
 */
const steps: readonly string[] = [
  `
  CREATE TABLE users (
    user_id               INTEGER PRIMARY KEY CHECK (user_id BETWEEN 1 AND 4294967295),
    username              TEXT NOT NULL,
    username_key          TEXT NOT NULL UNIQUE,
    email                 TEXT,
    email_key             TEXT UNIQUE,
    password_hash         TEXT,
    request_id            TEXT UNIQUE,
    request_fingerprint   TEXT,
    request_expires_at_ms INTEGER
  ) STRICT;
  CREATE INDEX users_by_request_expiry ON users (request_expires_at_ms)
    WHERE request_expires_at_ms IS NOT NULL;
  `,
  // Request ids outlive their users. A column that is UNIQUE can't be dropped (https://sqlite.org/lang_altertable.html,
  // section 5), so the table is made anew, as section 7 says. Keys of addresses that schema 1 folded otherwise are made
  // anew where nobody has them.
  `
  CREATE TABLE requests (
    request_id    TEXT PRIMARY KEY,
    fingerprint   TEXT NOT NULL,
    user_id       INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO requests
    SELECT request_id, request_fingerprint, user_id, request_expires_at_ms FROM users WHERE request_id IS NOT NULL;
  CREATE INDEX requests_by_expiry ON requests (expires_at_ms);
  CREATE TABLE users_2 (
    user_id       INTEGER PRIMARY KEY CHECK (user_id BETWEEN 1 AND 4294967295),
    username      TEXT NOT NULL,
    username_key  TEXT NOT NULL UNIQUE,
    email         TEXT,
    email_key     TEXT UNIQUE,
    password_hash TEXT,
    created_at_ms INTEGER,
    etag          TEXT
  ) STRICT;
  INSERT INTO users_2
    SELECT user_id, username, username_key, email, email_key, password_hash, NULL, NULL FROM users ORDER BY user_id;
  UPDATE OR IGNORE users_2 SET email_key = folded(email) WHERE email_key <> folded(email);
  DROP TABLE users;
  ALTER TABLE users_2 RENAME TO users;
  CREATE TABLE holds (
    kind          TEXT NOT NULL CHECK (kind IN ('name', 'email')),
    key           TEXT NOT NULL,
    held_until_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX holds_by_end ON holds (held_until_ms);
  `,
];

/** The version of the schema that this release of the service makes and knows. */
export const schemaVersion = steps.length;

/** Makes the schema of a version in an empty database, for others to be compared with. */
export function makeSchema(db: DatabaseSync, version: number): void {
  db.function('folded', String); // a step may call it: there is nobody to fold
  for (const step of steps.slice(0, version)) db.exec(step);
}

/**
 * The version of the schema of an open file; 0 if it is new.
 *
 * @throws Error if it is of a newer release
 */
export function versionOf(db: DatabaseSync): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version);
  if (version <= schemaVersion) return version;
  throw new Error(
    `a newer release has made it: its schema is ${version}, and this release knows ${schemaVersion} and older`,
  );
}

/** What an upgrade leaves to be done by people. */
export interface Migrated {
  /** Users whose e-mail address is another's by now but for case or accents: they keep it, and can't be found by it. */
  readonly sharedAddresses: readonly number[];
}

/**
 * Brings an open file to the current schema, in one transaction: all of it or nothing. Tables of others stay as they
 * are, with what refers to users.
 *
 * @throws Error if it is of a newer release, or has what others have made and an upgrade would lose or break
 */
export function migrate(db: DatabaseSync): Migrated {
  // Else DROP TABLE deletes the rows of others that refer to users, and RENAME rewrites, or fails at, what names them:
  // https://sqlite.org/lang_altertable.html, section 7. In a transaction the first pragma does nothing.
  const keys = db.prepare('PRAGMA foreign_keys').get()?.foreign_keys;
  db.exec('PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON');
  try {
    return upgrade(db);
  } finally {
    // Of a transaction that has failed nothing is left, once the file is closed.
    if (!db.isTransaction) db.exec(`PRAGMA foreign_keys = ${keys}; PRAGMA legacy_alter_table = OFF`);
  }
}

function upgrade(db: DatabaseSync): Migrated {
  db.exec('BEGIN IMMEDIATE');
  const version = versionOf(db);
  let sharedAddresses: number[] = [];
  if (version < schemaVersion) {
    refuseForeign(db, version);
    db.function('folded', { deterministic: true }, (text) => (text === null ? null : folded(String(text))));
    for (const step of steps.slice(version)) db.exec(step);
    const shared = db.prepare('SELECT user_id FROM users WHERE email_key <> folded(email) ORDER BY user_id');
    sharedAddresses = shared.all().map(({ user_id }) => Number(user_id));
    db.exec(`PRAGMA user_version = ${schemaVersion}`);
  }
  db.exec('COMMIT');
  return { sharedAddresses };
}

/** Indexes and triggers go with their table; a view or a trigger may name what is no longer there. */
function refuseForeign(db: DatabaseSync, version: number): void {
  const own = namesOf(version);
  const next = namesOf(schemaVersion);
  const foreign = db
    .prepare(`SELECT type, lower(name) AS name, lower(tbl_name) AS of FROM sqlite_schema WHERE ${isNamed}`)
    .all()
    .map(({ type, name, of }) => ({ type: String(type), name: String(name), of: String(of) }))
    .filter(({ name }) => !own.has(name))
    .filter(({ type, name, of }) => type === 'view' || type === 'trigger' || own.has(of) || next.has(name));
  if (foreign.length === 0) return;
  const named = foreign.map(({ type, name }) => `${type} ${name}`).join(', ');
  throw new Error(
    `others have added what its upgrade would lose or break: ${named}. Drop or rename it, start the server, make it anew`,
  );
}

/** What SQLite makes by itself has no name of its own: https://sqlite.org/fileformat2.html#internal_schema_objects */
const isNamed = "name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";

/** The names of the tables and indexes of a version. */
function namesOf(version: number): ReadonlySet<string> {
  using db = new DatabaseSync(':memory:');
  makeSchema(db, version);
  const names = db.prepare(`SELECT name FROM sqlite_schema WHERE ${isNamed}`).all();
  return new Set(names.map(({ name }) => String(name)));
}
