import { MissingTool } from '../conformance/tool.ts';
import type { Target } from '../e2e/target.ts';

/** A client that others wrote: another implementation of HTTP/2, gRPC or both. */
export interface Peer {
  readonly name: string;
  /** It calls servers that it starts with settings of its own, whatever the target. */
  readonly isLocal?: true;
  /**
   * Calls the service and checks what comes back.
   *
   * @throws MissingTool if the client is not on this machine and can't be had
   */
  run(target: PeerTarget, check: Check): Promise<void>;
}

/** What peers call. */
export interface PeerTarget extends Target {
  readonly host: string;
  readonly port: number;
  /** The file of the authority to trust, if the endpoint is https. */
  readonly caFile: string | undefined;
}

/** Runs a check; one that fails is reported and the next one runs all the same. */
export type Check = (name: string, work: () => Promise<void> | void) => Promise<void>;

/** Runs peers, one after the other, and prints how each check ended. */
export async function runPeers(peers: readonly Peer[], target: PeerTarget) {
  const counts = { passed: 0, failed: 0 };
  for (const peer of peers) {
    console.log(`\n== ${peer.name}`);
    const check: Check = async (name, work) => {
      try {
        await work();
        counts.passed++;
        console.log(`ok      ${name}`);
      } catch (error) {
        counts.failed++;
        console.log(`FAILED  ${name}: ${error instanceof Error ? error.message : error}`);
      }
    };
    try {
      await peer.run(target, check);
    } catch (error) {
      if (!(error instanceof MissingTool)) throw error;
      counts.failed++;
      console.log(`FAILED  not run: ${error.message}`);
    }
  }
  return counts;
}
