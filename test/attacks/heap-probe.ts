// Loaded into the watched server before its bundle (`--import`, with `--expose-gc`). Asked over the channel of the
// process, it tells what no file of the system does: what is held when all garbage is collected (what has been freed
// may stay mapped, so RSS does not say), and what has been allocated, garbage included, between two questions.
import { Session } from 'node:inspector/promises';
import { setImmediate as turn } from 'node:timers/promises';
import type { ProbeAnswer, ProbeQuestion } from './watched-server.ts';

/** Each so many bytes one allocation is looked at, on average. */
const samplingInterval = 4_096;

/** A place in the code, with what it has allocated, and the places that it calls. */
interface SamplingNode {
  readonly selfSize: number;
  readonly children: readonly SamplingNode[];
}

/** Connected by the first question that needs it: most servers under attack are not asked. */
let profiler: Session | undefined;

process.on('message', async (question: ProbeQuestion) => {
  process.send?.({ bytes: await answers[question]() } satisfies ProbeAnswer);
});
// The channel must not keep the server alive.
process.channel?.unref();

const answers: Record<ProbeQuestion, () => Promise<number>> = {
  async held() {
    // Buffers are swept after the collection that finds them: the next one counts them out.
    for (let round = 0; round < 3; round += 1) {
      global.gc?.();
      await turn();
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  },
  async allocating() {
    profiler ??= new Session();
    profiler.connect();
    await profiler.post('HeapProfiler.startSampling', {
      samplingInterval,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    return 0;
  },
  async allocated() {
    if (profiler === undefined) throw new Error('ask for "allocating" first');
    const { profile } = await profiler.post('HeapProfiler.stopSampling');
    profiler.disconnect();
    return sizeOf(profile.head);
  },
};

function sizeOf({ selfSize, children }: SamplingNode): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize);
}
