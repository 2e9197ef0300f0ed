import type { Fault } from '../fault.ts';
import { certificate } from './certificate-fault.ts';
import { clock, fullDisk } from './machine-faults.ts';
import { slowTable, throttles } from './table-faults.ts';
import { hung, killed, lost } from './task-faults.ts';
import { failingVersion, unhealthyVersion } from './version-faults.ts';

/** The faults that any service can be tried with, by name. */
export const faults: Readonly<Record<string, Fault>> = {
  killed,
  lost,
  hung,
  'slow-table': slowTable,
  throttles,
  'full-disk': fullDisk,
  clock,
  certificate,
  'failing-version': failingVersion,
  'unhealthy-version': unhealthyVersion,
};
