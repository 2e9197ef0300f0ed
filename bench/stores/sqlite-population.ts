import { statSync } from 'node:fs';
import { closeSqliteFile, openSqliteFile } from '../../functions/users/stores/sqlite-file.ts';

/** How many users files have: the last one is 300 MB. */
export const sizes = [1_000, 100_000, 2_000_000] as const;

/** The name of one of them. */
export const nameOf = (place: number) => `User${place}`;

/** Makes a file of users whose ids lie in any order, as those of sign-ups do. Returns its bytes. */
export function fill(path: string, users: number): number {
  const db = openSqliteFile(path);
  db.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN');
  const insert = db.prepare(
    `INSERT INTO users (user_id, username, username_key, email, email_key, created_at_ms)
     VALUES (?1, ?2, lower(?2), ?2 || '@example.com', lower(?2 || '@example.com'), ?3)`,
  );
  // 2^32 less 5 is a prime, so no id comes twice.
  for (let place = 0; place < users; place += 1) {
    insert.run(((place * 2_654_435) % 4_294_967_291) + 1, nameOf(place), 1_790_000_000_000 + place);
  }
  db.exec('COMMIT');
  closeSqliteFile(db);
  return statSync(path).size;
}
