// Makes the calls that its parent asks for, one load after the other. It stays warm between them: what a client costs
// when it is new is no part of a server's latency.
import { type LoadReading, makeCalls, type StoreLoad } from './load.ts';

/** What the parent asks for. */
export interface Order {
  readonly port: number;
  readonly load: StoreLoad;
  readonly calls: number;
}

/** What it is told. */
export type Report = { readonly reading: LoadReading } | { readonly failure: string };

process.on('message', async ({ port, load, calls }: Order) => {
  let report: Report;
  try {
    report = { reading: await makeCalls(port, load, calls) };
  } catch (error) {
    report = { failure: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(report);
});
process.on('disconnect', () => process.exit());
