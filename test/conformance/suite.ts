import { goTool, run } from './tool.ts';

/** How many cases went well and how many did not. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** One mistake may fail thousands of cases. */
const maxShown = 20;

/** Runs the Connect conformance suite against our server or our client; see `server.yaml` and `client.yaml`. */
export async function connectSuite(mode: 'server' | 'client'): Promise<Counts> {
  const folder = import.meta.dirname;
  const program = [process.execPath, `${folder}/${mode}.ts`];
  const { output } = await run(await goTool('connectconformance'), [
    '--mode',
    mode,
    '--conf',
    `${folder}/${mode}.yaml`,
    '--',
    ...program,
  ]);
  // A failure begins at the margin and goes on with indented lines. The rest is what Go's servers log.
  const failures = output.match(/^FAILED: .*\n(?:[\t ].*\n)*/gm) ?? [];
  for (const failure of failures.slice(0, maxShown)) console.log(failure.trimEnd());
  if (failures.length > maxShown) console.log(`... and ${failures.length - maxShown} more failures`);
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  if (passed === undefined) throw new Error('the conformance suite has not come to its end');
  console.log(`${passed} cases pass`);
  return { passed: Number(passed), failed: Number(failed) };
}
