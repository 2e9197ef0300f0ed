import type { Endpoint } from './endpoint.ts';
import type { Calls } from './load.ts';
import type { Stage } from './stage.ts';

/** What is rehearsed: a CDK app with a `GrpcService`, and what is called of it. */
export interface Subject {
  /** The name of the stack. */
  readonly stack: string;
  /** The command of the CDK app. Default: that of cdk.json */
  readonly app?: string;
  /** Options of the app, `-c NAME=VALUE`. */
  readonly context: Readonly<Record<string, string>>;
  /** Options that make the deployment another one that works as well. Default: its tasks get one variable more */
  readonly change?: Readonly<Record<string, string>>;
  /** The environment in which a version fails its calls, besides what the table does. Default: none */
  readonly failing?: Readonly<Record<string, string>>;
  /**
   * Commands of a shell, each of which must end with 0. In their environment REHEARSAL_ENDPOINT is the file that tells
   * of the endpoint, and what `environment` says.
   */
  readonly checks: readonly string[];
  /** For the checks. */
  environment(token: string | undefined): Readonly<Record<string, string>>;
  /** What lets callers in, from what the deployment says (its outputs). */
  token(stage: Stage): Promise<string | undefined>;
  /** Calls of every kind. `maxAttempts` of a call: 1 shows what a deployment does, more what clients notice of it. */
  calls(endpoint: Endpoint, maxAttempts: number): Calls;
  /** How what lets callers in is replaced. Default: it is not tried */
  readonly rotation?: {
    /** Adds another, which `token` gives from then on, and returns the former one. Tasks read it when they start. */
    add(stage: Stage): Promise<string>;
    /** Takes the former one away. */
    drop(stage: Stage): Promise<void>;
    /** A check that the former one, which REHEARSAL_FORMER holds, is refused. */
    readonly refusal: string;
  };
}
