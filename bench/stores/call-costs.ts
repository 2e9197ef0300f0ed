import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../subjects.ts';
import type { StoreRow } from './measure.ts';

/** Writes what calls cost to `infra/call-costs.json`, where `infra/capacity-model.ts` reads it. */
export function writeCallCosts(rows: readonly StoreRow[]): void {
  const micros = (load: string, subject: string) =>
    Math.round(rows.find((it) => it.load.key === load && it.subject.key === subject)?.cpuMicros.median ?? 0);
  const costs = {
    measured: new Date().toISOString().slice(0, 10),
    lookUp: measured(rows, 'get'),
    signUp: measured(rows, 'create'),
    sqlite: { lookUpMicros: micros('get 1 8x32', 'sqlite'), signUpMicros: micros('create 8x32', 'sqlite') },
  };
  writeFileSync(join(root, 'infra/call-costs.json'), `${JSON.stringify(costs, null, 2)}\n`);
}

/** Of calls of one user, by how many are under way; fewest first. */
function measured(rows: readonly StoreRow[], kind: StoreRow['load']['kind']) {
  return rows
    .filter(({ subject, load }) => subject.key === 'dynamodb' && load.kind === kind && load.users === 1)
    .map(({ load, cpuMicros, requests }) => ({
      inFlight: load.connections * load.streams,
      cpuMicros: Math.round(cpuMicros.median),
      requests: Number(requests.median.toPrecision(2)),
    }))
    .sort((a, b) => a.inFlight - b.inFlight);
}
