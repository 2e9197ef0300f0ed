import {
  DeleteParameterCommand,
  GetParameterCommand,
  ParameterNotFound,
  PutParameterCommand,
  type SSMClient,
} from '@aws-sdk/client-ssm';
import type { KeyPair } from './authority.ts';

/**
 * Keeps authorities as SecureString parameters: encrypted with the account's `aws/ssm` key, free of charge, and
 * readable only with permission.
 */
export interface AuthorityStore {
  /** The authority of that name; undefined when there is none. */
  load(name: string): Promise<KeyPair | undefined>;
  /** Keeps an authority. Throws `ParameterAlreadyExists` rather than replace one that clients may trust. */
  save(name: string, authority: KeyPair): Promise<void>;
  /** Removes it, and where its certificate is; does nothing if there is none. */
  remove(name: string): Promise<void>;
  /** The ARN of the certificate that it has signed; undefined where that is not known. */
  loadArn(name: string): Promise<string | undefined>;
  /** Keeps where that certificate is. */
  saveArn(name: string, arn: string): Promise<void>;
}

export function ssmAuthorityStore(ssm: SSMClient): AuthorityStore {
  const arnOf = (name: string) => `${name}/certificate`;
  const read = async (Name: string): Promise<string | undefined> => {
    try {
      const { Parameter } = await ssm.send(new GetParameterCommand({ Name, WithDecryption: true }));
      return Parameter?.Value ?? '';
    } catch (error) {
      if (error instanceof ParameterNotFound) return undefined;
      throw error;
    }
  };
  return {
    async load(name) {
      const kept = await read(name);
      return kept === undefined ? undefined : parse(kept);
    },

    async save(name, { certificate, privateKey }) {
      await ssm.send(
        new PutParameterCommand({
          Name: name,
          Type: 'SecureString',
          Value: `${certificate.trim()}\n${privateKey.trim()}\n`,
          Description: 'Authority of a self-issued certificate, with its private key',
        }),
      );
    },

    async remove(name) {
      for (const Name of [arnOf(name), name]) {
        try {
          await ssm.send(new DeleteParameterCommand({ Name }));
        } catch (error) {
          if (!(error instanceof ParameterNotFound)) throw error;
        }
      }
    },

    loadArn: (name) => read(arnOf(name)),

    async saveArn(name, arn) {
      const Description = 'Where the certificate of a self-issued authority is';
      const kept = { Name: arnOf(name), Type: 'String', Value: arn, Overwrite: true, Description } as const;
      await ssm.send(new PutParameterCommand(kept));
    },
  };
}

function parse(value: string): KeyPair {
  const [certificate, privateKey] = value.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  if (!certificate || !privateKey)
    throw new Error('the kept authority is not a certificate and a private key');
  return { certificate, privateKey };
}
