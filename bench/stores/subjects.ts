import { fileURLToPath } from 'node:url';
import { built, bundled, inNode, type Subject, shipped, subjectsAt } from '../subjects.ts';

/** A server that keeps users somewhere. */
export interface StoreSubject extends Subject {
  readonly store: 'memory' | 'sqlite' | 'dynamodb';
}

/** The commit before stores were made faster, which today's are compared with. */
export const formerCommit = '7a5c70b';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const table = 'users';

/** The double, which shares the load's core: what it takes is not the servers'. */
export const double: Subject = {
  key: 'double',
  title: 'the double of DynamoDB',
  command: [process.execPath, here('dynamodb-double.ts')],
  env: { TABLE: table },
  cores: '0',
};

/**
 * Ours on each store, ours at a commit on DynamoDB, and the peers on DynamoDB, those in Node as bundles. What can't be
 * had is left out, and why is said.
 */
export async function storeSubjects(
  commit: string,
  folder: string,
  say: (line: string) => void,
): Promise<StoreSubject[]> {
  const ours = await bundled(shipped, folder);
  const stored = (store: StoreSubject['store'], title: string): StoreSubject => ({
    ...ours,
    key: store,
    title: `ours, ${title}`,
    store,
    env: { ...ours.env, USERS_STORE: store },
  });
  const onDynamo = (subject: Subject, key: string, title: string): StoreSubject => ({
    ...subject,
    key,
    title,
    store: 'dynamodb',
    env: { ...subject.env, USERS_STORE: 'dynamodb', USERS_TABLE: table },
  });
  return [
    stored('memory', 'memory'),
    stored('sqlite', 'SQLite'),
    onDynamo(ours, 'dynamodb', 'ours, DynamoDB'),
    ...(await former(commit, folder, say)).map((it) =>
      onDynamo(it, 'dynamodb before', `ours at ${commit}, DynamoDB`),
    ),
    ...built('grpc-go', 'grpc-go', [here('../go/stores/build')], [], say).map((it) =>
      onDynamo(it, 'grpc-go', 'grpc-go, aws-sdk-go-v2'),
    ),
    onDynamo(
      await bundled(inNode('connect-node-dynamodb', ''), folder),
      'connect-node',
      'connect-node, AWS SDK',
    ),
  ];
}

/** Ours on SQLite alone. */
export async function onSqlite(folder: string): Promise<Subject> {
  const ours = await bundled(shipped, folder);
  return { ...ours, key: 'sqlite', title: 'ours, SQLite', env: { ...ours.env, USERS_STORE: 'sqlite' } };
}

async function former(commit: string, folder: string, say: (line: string) => void): Promise<Subject[]> {
  try {
    const [subject] = subjectsAt(commit, folder);
    return subject ? [await bundled(subject, folder)] : [];
  } catch (error) {
    say(`ours at ${commit} is left out: ${error instanceof Error ? error.message.trim() : error}`);
    return [];
  }
}

/** A subject that finds the double at its port. */
export function reaching(subject: StoreSubject, port: number): StoreSubject {
  const endpoint = `http://127.0.0.1:${port}`;
  const aws = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'bench',
    AWS_SECRET_ACCESS_KEY: 'bench',
  };
  return { ...subject, env: { ...subject.env, ...(subject.store === 'dynamodb' && aws) } };
}
