import type { DatabaseSync } from 'node:sqlite';

/**
 * What makes a file of each version from one of the version before, the first from an empty one. A step that is
 * released never changes: files that it made are in use, and test/users/stores/released/ has the schema of each.
 *
 * `*_key` is the text as `folded` makes it. An `etag` that is NULL is `firstEtag`.
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
  // section 5), so the table is made anew, as section 7 says.
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

/**
 * Brings an open file to the current schema, in one transaction: all of it or nothing.
 *
 * @throws Error if it is of a newer release
 */
export function migrate(db: DatabaseSync): void {
  db.exec('BEGIN IMMEDIATE');
  const version = versionOf(db);
  for (const step of steps.slice(version)) db.exec(step);
  if (version < schemaVersion) db.exec(`PRAGMA user_version = ${schemaVersion}`);
  db.exec('COMMIT');
}
