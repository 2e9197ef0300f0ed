import { parentPort, workerData } from 'node:worker_threads';
import { closeSqliteFile, openSqliteFile } from '../../../functions/users/stores/sqlite-file.ts';

/** What two threads are given that open the same new files, one after the other, at the same moments. */
export interface Openings {
  readonly paths: readonly string[];
  /** Of each file, how many threads are ready to open it. */
  readonly ready: Int32Array;
}

if (parentPort !== null) {
  const { paths, ready }: Openings = workerData;
  paths.forEach((path, index) => {
    Atomics.add(ready, index, 1);
    while (Atomics.load(ready, index) < 2);
    const db = openSqliteFile(path, (line) => {
      throw new Error(line); // nothing is missing in a file that another opens or closes
    });
    closeSqliteFile(db);
  });
}
