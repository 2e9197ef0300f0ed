import { parseArgs } from 'node:util';
import { faults } from './faults/all.ts';

/** What a rehearsal was told. */
export interface Options {
  /** Roll-outs under load. */
  readonly rounds: number;
  /** Names of faults. */
  readonly faults: readonly string[];
  /** Further checks, commands of a shell. */
  readonly checks: readonly string[];
  /** What is rehearsed, instead of Users. */
  readonly app?: string;
  readonly stack?: string;
  readonly context: Readonly<Record<string, string>>;
  /** How long a minute of alarms and of the time that a deployment bakes lasts here. */
  readonly minuteMs: number;
  /** Where the report goes. */
  readonly report: string;
  /** Where everything else goes, which stays; a temporary folder, which goes when all went well. */
  readonly folder?: string;
}

const usage = `usage: npm run rehearse -- [OPTIONS]
  --rounds N            roll-outs under load, 2 by default
  --fault NAME          a fault under load, again for more; "all"; none by default
  --check COMMAND       a further check, run by bash with REHEARSAL_ENDPOINT, the file that tells of the endpoint
  --app COMMAND --stack NAME   another CDK app of GrpcService
  -c NAME=VALUE         an option of the app, again for more
  --minute SECONDS      how long a minute of the alarms lasts, 5 by default; 60 is as it is on AWS
  --report FILE         dist/rehearsal.html by default
  --folder FOLDER       keeps logs and what was deployed there`;

/** Reads the arguments. @throws Error with how to use them */
export function readOptions(args: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: 'string', default: '2' },
        fault: { type: 'string', multiple: true, default: [] },
        check: { type: 'string', multiple: true, default: [] },
        app: { type: 'string' },
        stack: { type: 'string' },
        context: { type: 'string', short: 'c', multiple: true, default: [] },
        minute: { type: 'string', default: '5' },
        report: { type: 'string', default: 'dist/rehearsal.html' },
        folder: { type: 'string' },
      },
    });
    const whole = (name: string, text: string, least: number): number => {
      if (!/^\d{1,4}$/.test(text) || Number(text) < least)
        throw new Error(`--${name} must be a whole number`);
      return Number(text);
    };
    if ((values.app === undefined) !== (values.stack === undefined)) {
      throw new Error('--app and --stack belong together');
    }
    const context = values.context.map((it): [string, string] => {
      const [, name, value] = /^([^=]+)=(.*)$/s.exec(it) ?? [];
      if (name === undefined || value === undefined) throw new Error(`-c ${it}: NAME=VALUE is needed`);
      return [name, value];
    });
    const stranger = values.fault.find((it) => it !== 'all' && !(it in faults));
    if (stranger) throw new Error(`there is no fault ${stranger}: ${Object.keys(faults).join(', ')}`);
    return {
      rounds: whole('rounds', values.rounds, 0),
      faults: values.fault.includes('all') ? Object.keys(faults) : values.fault,
      checks: values.check,
      app: values.app,
      stack: values.stack,
      context: Object.fromEntries(context),
      minuteMs: whole('minute', values.minute, 1) * 1000,
      report: values.report,
      folder: values.folder,
    };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${usage}`, { cause: error });
  }
}
