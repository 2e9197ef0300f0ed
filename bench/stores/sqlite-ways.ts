// Ways to read 100 users from SQLite, in files of some sizes, with some settings: the µs of CPU of each, all in turns.
// docs/decisions.md says what follows from it. Run it with: npx node bench/stores/sqlite-ways.ts
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteFile } from '../../functions/users/stores/sqlite-file.ts';
import { sqliteReads } from '../../functions/users/stores/sqlite-reads.ts';
import { figureOf, showFigure } from '../figure.ts';
import { fill, nameOf, sizes } from './sqlite-population.ts';

const usersRead = 100;
const readsPerTurn = 150;
const turns = 7;

const settings = {
  'as it is': '',
  'cache of 8 MB': 'PRAGMA cache_size = -8000',
  'cache of 32 MB': 'PRAGMA cache_size = -32000',
  'memory map': 'PRAGMA mmap_size = 1073741824',
};
/** Files that are made otherwise: each has a copy. */
const otherFiles = {
  'pages of 16 KB': 'PRAGMA journal_mode = DELETE; PRAGMA page_size = 16384; VACUUM',
  'index that has it all': 'CREATE INDEX covering ON users (username_key, username)',
};

/** Each makes what reads users by their keys. */
const ways: Record<string, (db: DatabaseSync) => (names: readonly string[]) => unknown> = {
  'a statement each': (db) => {
    const one = db.prepare('SELECT user_id, username FROM users WHERE username_key = ?');
    return (names) => names.map((name) => one.get(name.toLowerCase()));
  },
  'in a transaction': (db) => {
    const [begin, end] = [db.prepare('BEGIN'), db.prepare('COMMIT')];
    const one = db.prepare('SELECT user_id, username FROM users WHERE username_key = ?');
    one.setReturnArrays(true);
    return (names) => {
      begin.run();
      const users = names.map((name) => one.get(name.toLowerCase()));
      end.run();
      return users;
    };
  },
  'a list of parameters': (db) => {
    const all = db.prepare(
      `SELECT user_id, username, username_key FROM users WHERE username_key IN (${Array(usersRead).fill('?')})`,
    );
    all.setReturnArrays(true);
    return (names) => all.all(...names.map((name) => name.toLowerCase()));
  },
  'as the store does': (db) => {
    const reads = sqliteReads(db);
    return (names) => reads.users(names.map((username) => ({ username, userId: 0 })));
  },
  'as the store does, sorted': (db) => {
    const reads = sqliteReads(db);
    return (names) => reads.users([...names].sort().map((username) => ({ username, userId: 0 })));
  },
  'by the index that has it all': (db) => {
    const isThere = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'covering'").get() !== undefined;
    const all = db.prepare(
      `SELECT u.user_id, u.username FROM json_each(?) AS w
       LEFT JOIN users AS u ${isThere ? 'INDEXED BY covering' : ''} ON u.username_key = w.value`,
    );
    all.setReturnArrays(true);
    return (names) => all.all(JSON.stringify(names.map((name) => name.toLowerCase())));
  },
  'SQLite alone': (db) => {
    const count = db.prepare(
      'SELECT count(u.username) FROM json_each(?) AS w LEFT JOIN users AS u ON u.username_key = w.value',
    );
    return (names) => count.get(JSON.stringify(names.map((name) => name.toLowerCase())));
  },
};

function openedWith(path: string, sql: string): DatabaseSync {
  const db = openSqliteFile(path);
  db.exec(sql);
  return db;
}

function copied(path: string, setting: string, sql: string): DatabaseSync {
  const copy = `${path}-${setting.replaceAll(' ', '-')}`;
  copyFileSync(path, copy);
  const db = new DatabaseSync(copy);
  db.exec(sql);
  db.close();
  return openSqliteFile(copy);
}

const folder = mkdtempSync(join(os.tmpdir(), 'users-ways-'));
try {
  const cases = sizes.flatMap((users) => {
    const path = join(folder, `${users}.sqlite`);
    fill(path, users);
    const opened = [
      ...Object.entries(settings).map(([setting, sql]) => ({ setting, db: openedWith(path, sql) })),
      ...Object.entries(otherFiles).map(([setting, sql]) => ({ setting, db: copied(path, setting, sql) })),
    ];
    return opened.flatMap(({ setting, db }) =>
      Object.entries(ways).map(([way, make]) => ({ users, setting, way, read: make(db), micros: [0] })),
    );
  });
  for (let turn = -1; turn < turns; turn += 1) {
    for (const it of cases) {
      const asked = Array.from({ length: readsPerTurn }, () =>
        Array.from({ length: usersRead }, () => nameOf(Math.floor(Math.random() * it.users))),
      );
      const before = process.cpuUsage();
      for (const names of asked) it.read(names);
      const { user, system } = process.cpuUsage(before);
      if (turn < 0) it.micros.pop();
      else it.micros.push((user + system) / readsPerTurn);
    }
  }
  for (const { users, setting, way, micros } of cases) {
    console.log(`${users}\t${setting}\t${way.padEnd(27)}\t${showFigure(figureOf(micros))}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
