import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { python, run } from '../conformance/tool.ts';
import { blocksOf } from '../docs/blocks.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer } from './peer.ts';
import { relayChecks } from './report.ts';

/** grpcio, on gRPC's C core, with stubs generated from the first version of the contract. */
export const pythonGrpcio: Peer = {
  name: 'Python grpcio, stubs from the first version of the contract',
  async run(target, check) {
    const interpreter = await python();
    const stubs = await mkdtemp(join(tmpdir(), 'stubs-'));
    const folder = import.meta.dirname;
    try {
      await check('generate the stubs', async () => {
        const protoc = ['-m', 'grpc_tools.protoc', `--proto_path=${folder}/article`];
        const files = ['users.proto', 'users_types.proto'];
        const outputs = [`--python_out=${stubs}`, `--grpc_python_out=${stubs}`];
        const { code, output } = await run(interpreter, [...protoc, ...outputs, ...files]);
        if (code !== 0) throw new Error(output);
      });
      const { output } = await run(interpreter, [`${folder}/client.py`], {
        env: {
          PYTHONPATH: stubs,
          TARGET: `${target.host}:${target.port}`,
          CA_FILE: target.caFile ?? '',
          TOKEN: target.token ?? '',
          NAME: uniqueName(),
        },
      });
      await relayChecks(output, check);
      // Others' servers need not have the sample users.
      if (process.env.USERS_ENDPOINT === undefined) {
        await check('run the Python block of the README', async () => {
          const blocks = blocksOf('README.md');
          const index = blocks.findIndex((it) => it.language === 'python');
          const code = blocks[index]?.text.replace('127.0.0.1:50051', `${target.host}:${target.port}`) ?? '';
          const printed = await run(interpreter, ['-c', code], { env: { PYTHONPATH: stubs } });
          if (printed.output !== blocks[index + 1]?.text) throw new Error(printed.output);
        });
      }
    } finally {
      await rm(stubs, { recursive: true });
    }
  },
};
