import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { python, run } from '../conformance/tool.ts';
import { uniqueName } from '../e2e/target.ts';
import type { Peer, PeerTarget } from './peer.ts';
import { relayChecks } from './report.ts';
import { startServer } from './server.ts';

/**
 * Connect for Python, on Rust's hyper: Connect, gRPC-Web and gRPC, with stubs from the first version of the contract.
 */
export const connectPython: Peer = {
  name: 'Connect for Python, on hyper',
  async run(target, check) {
    const interpreter = await python();
    const stubs = await mkdtemp(join(tmpdir(), 'stubs-'));
    const folder = import.meta.dirname;
    const call = async (to: PeerTarget, prefix: string) => {
      const { output } = await run(interpreter, [`${folder}/connect_client.py`], {
        env: {
          PYTHONPATH: stubs,
          ENDPOINT: to.endpoint,
          CA_FILE: to.caFile ?? '',
          TOKEN: to.token ?? '',
          NAME: uniqueName(),
        },
      });
      await relayChecks(output, check, prefix);
    };
    try {
      await check('generate the stubs', async () => {
        const protoc = ['-m', 'grpc_tools.protoc', `--proto_path=${folder}/article`];
        const files = ['users.proto', 'users_types.proto'];
        // The stubs import each other as modules of a package.
        const contract = join(stubs, 'contract');
        await mkdir(contract);
        const outputs = [`--py_out=${contract}`, `--connectrpc_out=${contract}`];
        // protoc finds its plugins on the path.
        const PATH = `${dirname(interpreter)}${delimiter}${process.env.PATH}`;
        const { code, output } = await run(interpreter, [...protoc, ...outputs, ...files], { env: { PATH } });
        if (code !== 0) throw new Error(output);
      });
      await call(target, '');
      if (process.env.USERS_ENDPOINT === undefined) {
        await using secured = await startServer(true);
        await call(secured, 'TLS: ');
      }
    } finally {
      await rm(stubs, { recursive: true });
    }
  },
};
