import { parseArgs } from 'node:util';
import { faults } from './faults/all.ts';

/** What a rehearsal was told. */
export interface Options {
  /** What serves: containers behind a load balancer, or a Web Function. */
  readonly home: 'container' | 'function';
  /** Roll-outs under load. */
  readonly rounds: number;
  /** Names of faults. */
  readonly faults: readonly string[];
  /** Further checks, commands of a shell. */
  readonly checks: readonly string[];
  /** What is rehearsed, instead of Users. */
  readonly app?: string;
  readonly stack?: string;
  /** Methods of the other app that are called, by their path. */
  readonly calls: readonly string[];
  /** The environment in which the other app fails its calls. */
  readonly failing: Readonly<Record<string, string>>;
  readonly context: Readonly<Record<string, string>>;
  /** How long a minute of alarms and of the time that a deployment bakes lasts here. */
  readonly minuteMs: number;
  /** Where the report goes. */
  readonly report: string;
  /** Where everything else goes, which stays; a temporary folder, which goes when all went well. */
  readonly folder?: string;
}

/** How to call it, a line for each option. */
export const usage = `usage: npm run rehearse -- [OPTIONS]
  --home HOME           container (the default) or function, which needs no root and no containers
  --rounds N            roll-outs under load, 2 by default
  --fault NAME          a fault under load, again for more; "all"; none by default
  --check COMMAND       a further check, run by bash with REHEARSAL_ENDPOINT, the file that tells of the endpoint
  --app COMMAND --stack NAME   another CDK app of GrpcService
  --call /PACKAGE.SERVICE/METHOD   a unary method of that app, called with an empty message, again for more;
                        grpc.health.v1.Health/Check by default
  --failing NAME=VALUE  an environment in which that app fails its calls, for the fault failing-version
  -c NAME=VALUE         an option of the app, again for more
  --minute SECONDS      how long a minute of the alarms lasts, 5 by default; 60 is as it is on AWS
  --report FILE         dist/rehearsal.html by default
  --folder FOLDER       keeps logs and what was deployed there
  --help                this`;

/** Reads the arguments. @throws Error with how to use them */
export function readOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        home: { type: 'string', default: 'container' },
        rounds: { type: 'string', default: '2' },
        fault: { type: 'string', multiple: true, default: [] },
        check: { type: 'string', multiple: true, default: [] },
        app: { type: 'string' },
        stack: { type: 'string' },
        call: { type: 'string', multiple: true, default: [] },
        failing: { type: 'string', multiple: true, default: [] },
        context: { type: 'string', short: 'c', multiple: true, default: [] },
        minute: { type: 'string', default: '5' },
        report: { type: 'string', default: 'dist/rehearsal.html' },
        folder: { type: 'string' },
      },
    });
    const { home } = values;
    if (home !== 'container' && home !== 'function')
      throw new Error(`--home must be container or function, not ${home}`);
    const ofContainers = ['fault', 'check', 'app', 'call', 'failing'] as const;
    const other = ofContainers.find((it) => home === 'function' && (values[it] ?? []).length > 0);
    if (other) throw new Error(`--${other} is for containers: leave it out with --home function`);
    const whole = (name: string, text: string, least: number): number => {
      if (!/^\d{1,4}$/.test(text) || Number(text) < least)
        throw new Error(`--${name} must be a whole number from ${least} to 9999, not ${text}`);
      return Number(text);
    };
    if ((values.app === undefined) !== (values.stack === undefined)) {
      throw new Error('--app and --stack belong together');
    }
    if (values.app === undefined && values.call.length + values.failing.length > 0) {
      throw new Error('--call and --failing are for another --app');
    }
    const noPath = values.call.find((it) => !/^\/[\w.]+\/\w+$/.test(it));
    if (noPath) throw new Error(`--call ${noPath}: /PACKAGE.SERVICE/METHOD is needed`);
    const pairs = (option: string, given: readonly string[]) =>
      Object.fromEntries(
        given.map((it): [string, string] => {
          const [, name, value] = /^([^=]+)=(.*)$/s.exec(it) ?? [];
          if (name === undefined || value === undefined)
            throw new Error(`${option} ${it}: NAME=VALUE is needed`);
          return [name, value];
        }),
      );
    const stranger = values.fault.find((it) => it !== 'all' && !(it in faults));
    if (stranger) throw new Error(`there is no fault ${stranger}: ${Object.keys(faults).join(', ')}`);
    const context = pairs('-c', values.context);
    if ('home' in context) throw new Error('-c home: give --home instead');
    return {
      home,
      rounds: whole('rounds', values.rounds, 0),
      faults: values.fault.includes('all') ? Object.keys(faults) : values.fault,
      checks: values.check,
      app: values.app,
      stack: values.stack,
      calls: values.call,
      failing: pairs('--failing', values.failing),
      context,
      minuteMs: whole('minute', values.minute, 1) * 1000,
      report: values.report,
      folder: values.folder,
    };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${usage}`, { cause: error });
  }
}
