import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { python, run } from '../conformance/tool.ts';
import { blocksOf } from '../docs/blocks.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer } from './peer.ts';
import { relayChecks } from './report.ts';

/**
 * grpcio, on gRPC's C core, with stubs generated from the first version of the contract, and from this one for the
 * methods that have come since.
 */
export const pythonGrpcio: Peer = {
  name: 'Python grpcio, stubs from the first version of the contract, and from this one',
  async run(target, check) {
    const interpreter = await python();
    const folder = import.meta.dirname;
    const generate = async (from: string, stubs: string) => {
      const protoc = ['-m', 'grpc_tools.protoc', `--proto_path=${from}`];
      const files = ['users.proto', 'users_types.proto'];
      const outputs = [`--python_out=${stubs}`, `--grpc_python_out=${stubs}`];
      const { code, output } = await run(interpreter, [...protoc, ...outputs, ...files]);
      if (code !== 0) throw new Error(output);
    };
    const call = async (client: string, stubs: string) => {
      const { output } = await run(interpreter, [`${folder}/${client}`], {
        env: {
          PYTHONPATH: stubs,
          TARGET: `${target.host}:${target.port}`,
          CA_FILE: target.caFile ?? '',
          TOKEN: target.token ?? '',
          NAME: uniqueName(),
        },
      });
      await relayChecks(output, check);
    };
    const stubs = await mkdtemp(join(tmpdir(), 'stubs-'));
    const newStubs = await mkdtemp(join(tmpdir(), 'stubs-'));
    try {
      await check('generate the stubs', () => generate(`${folder}/article`, stubs));
      await call('client.py', stubs);
      await check('generate the stubs of this contract', () => generate(`${folder}/../../proto`, newStubs));
      await call('accounts.py', newStubs);
      // Others' servers need not have the sample users.
      if (process.env.USERS_ENDPOINT === undefined) {
        await check('run the Python block of the README', async () => {
          const blocks = blocksOf('README.md');
          const index = blocks.findIndex((it) => it.language === 'python');
          const code = blocks[index]?.text.replace('127.0.0.1:50051', `${target.host}:${target.port}`) ?? '';
          const printed = await run(interpreter, ['-c', code], { env: { PYTHONPATH: newStubs } });
          if (printed.output !== blocks[index + 1]?.text) throw new Error(printed.output);
        });
      }
    } finally {
      await Promise.all([stubs, newStubs].map((it) => rm(it, { recursive: true })));
    }
  },
};
