// npm run test:fuzz: plays sequences of frames, valid and broken, on connections without a network, and checks all that
// the server sends and what is left at the end. FUZZ_SEQUENCES: how many (default 100,000). FUZZ_SEED: the first one;
// of a fault that was found, its own seed, with FUZZ_SEQUENCES=1.
import { type Action, type Sequence, sequenceOf } from './sequence.ts';
import { escaped, play } from './trial.ts';
import { VirtualTime } from './virtual-time.ts';

/** Faults of a run that are shown; those behind them are mostly the same. */
const maxFaults = 5;

process.on('uncaughtException', (error) => escaped.push(error));
process.on('unhandledRejection', (error) => escaped.push(error));

const startedAtMs = Date.now();
const count = Number(process.env.FUZZ_SEQUENCES ?? 100_000);
const first = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_000);
const time = new VirtualTime();

/** What makes two faults the same: their words. */
const wordsOf = (fault: string) => fault.replaceAll(/\d+/g, '');

/** Leaves out all that the fault does not need. */
async function shrink(sequence: Sequence, fault: string): Promise<Sequence> {
  let { actions } = sequence;
  for (let part = Math.ceil(actions.length / 2); part >= 1; part = Math.floor(part / 2)) {
    for (let at = 0; at < actions.length; ) {
      const fewer = [...actions.slice(0, at), ...actions.slice(at + part)];
      const faults = await play({ ...sequence, actions: fewer }, time);
      if (faults.some((it) => wordsOf(it) === wordsOf(fault))) actions = fewer;
      else at += part;
    }
  }
  return { ...sequence, actions };
}

function describe(action: Action): string {
  if (action.do !== 'send') return JSON.stringify(action);
  const hex = action.bytes.toString('hex');
  return `${action.what}: ${hex.length > 300 ? `${hex.slice(0, 300)}… (${action.bytes.length} bytes)` : hex}`;
}

let faults = 0;
for (let seed = first; seed < first + count && faults < maxFaults; seed++) {
  const sequence = sequenceOf(seed);
  const found = await play(sequence, time);
  if (found.length === 0) continue;
  faults += 1;
  const small = await shrink(sequence, found.at(-1) ?? '');
  console.log(
    `FUZZ_SEED=${seed} FUZZ_SEQUENCES=1 npm run test:fuzz (${sequence.app}${sequence.isPolite ? ', polite' : ''})`,
  );
  console.log(`  ${found.join('\n  ')}`);
  console.log(`The least that does it:\n  ${small.actions.map(describe).join('\n  ')}`);
  console.log(`  → ${(await play(small, time)).join('\n  → ')}\n`);
}
const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1);
console.log(`${faults} faults in ${count} sequences from seed ${first}, ${seconds} s`);
process.exitCode = faults === 0 ? 0 : 1;
