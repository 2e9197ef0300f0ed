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
  /** Removes it; does nothing if there is none. */
  remove(name: string): Promise<void>;
}

export function ssmAuthorityStore(ssm: SSMClient): AuthorityStore {
  return {
    async load(name) {
      try {
        const { Parameter } = await ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
        return parse(Parameter?.Value ?? '');
      } catch (error) {
        if (error instanceof ParameterNotFound) return undefined;
        throw error;
      }
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
      try {
        await ssm.send(new DeleteParameterCommand({ Name: name }));
      } catch (error) {
        if (!(error instanceof ParameterNotFound)) throw error;
      }
    },
  };
}

function parse(value: string): KeyPair {
  const [certificate, privateKey] = value.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
  if (!certificate || !privateKey)
    throw new Error('the kept authority is not a certificate and a private key');
  return { certificate, privateKey };
}
