import {
  type ACMClient,
  AddTagsToCertificateCommand,
  type CertificateDetail,
  DeleteCertificateCommand,
  DescribeCertificateCommand,
  ImportCertificateCommand,
  ResourceInUseException,
  ResourceNotFoundException,
} from '@aws-sdk/client-acm';
import { createAuthority, issueCertificate, type KeyPair } from './authority.ts';
import type { AuthorityStore } from './authority-store.ts';

/** A certificate in ACM, and the authority (PEM) that its clients are to trust. */
export interface IssuedCertificate {
  readonly arn: string;
  readonly authority: string;
}

/** What a certificate is for. */
export interface Subject {
  /** The name that clients connect to. */
  readonly dnsName: string;
  /** The name that its authority is kept under. */
  readonly authorityName: string;
  /** Whose it is: the value of its tag. */
  readonly owner: string;
}

/** The tag of certificates that are made here: the function may change and delete those of its own value alone. */
export const ownerTag = 'self-issued';

const dayMs = 24 * 60 * 60 * 1000;

/** A certificate with less left than this is renewed: two months of daily attempts. */
export const renewBeforeDays = 60;

/** A load balancer lets go of its certificate some time after it is gone itself. */
const inUse = { attempts: 60, intervalMs: 10_000 };

/**
 * Certificates that an authority of ours signs, in ACM.
 *
 * The authority is made once and kept, so that renewal changes nothing for clients: they trust the authority.
 */
export class SelfIssuedCertificates {
  readonly #acm: ACMClient;
  readonly #authorities: AuthorityStore;
  readonly #inUse: typeof inUse;

  constructor(acm: ACMClient, authorities: AuthorityStore, retry = inUse) {
    this.#acm = acm;
    this.#authorities = authorities;
    this.#inUse = retry;
  }

  /**
   * Issues a certificate and imports it; the authority is made where there is none yet. Where the certificate of that
   * name is there still, as when the stack goes back to it, it is taken: nothing is left that nobody knows.
   */
  async create(subject: Subject): Promise<IssuedCertificate> {
    const { dnsName, authorityName } = subject;
    const known = await this.#authorities.load(authorityName);
    const former = known && (await this.#authorities.loadArn(authorityName));
    if (known && former && (await this.#describe(former)))
      return { arn: former, authority: known.certificate };
    const authority = known ?? (await createAuthority(dnsName));
    if (!known) await this.#authorities.save(authorityName, authority);
    const arn = await this.#import(authority, subject);
    try {
      await this.#authorities.saveArn(authorityName, arn);
    } catch (error) {
      await this.#delete(arn); // CloudFormation would not hear of it
      throw error;
    }
    return { arn, authority: authority.certificate };
  }

  /**
   * The authority of a certificate that exists, which is marked as ours: one of an earlier version is not.
   *
   * @throws Error when the authority is gone
   */
  async adopt(subject: Subject, arn: string): Promise<IssuedCertificate> {
    const { certificate } = await this.#authority(subject);
    const Tags = [{ Key: ownerTag, Value: subject.owner }];
    await this.#acm.send(new AddTagsToCertificateCommand({ CertificateArn: arn, Tags }));
    await this.#authorities.saveArn(subject.authorityName, arn);
    return { arn, authority: certificate };
  }

  /**
   * Issues the certificate anew under the same ARN when it is about to expire: its load balancers take it over
   * within minutes, and no connection is closed.
   *
   * @returns whether it was renewed
   * @throws Error when the authority is gone: another one would lock out every client
   */
  async renew(subject: Subject, arn: string, now = new Date()): Promise<boolean> {
    const expires = (await this.#describe(arn))?.NotAfter;
    if (expires && expires.getTime() - now.getTime() > renewBeforeDays * dayMs) return false;
    await this.#import(await this.#authority(subject), subject, arn, now);
    return true;
  }

  /** Removes the certificate, once nothing uses it any more, and its authority; what is gone already is no error. */
  async remove(subject: Subject, arn: string | undefined): Promise<void> {
    const known = arn ?? (await this.#authorities.loadArn(subject.authorityName));
    if (known) await this.#delete(known);
    await this.#authorities.remove(subject.authorityName);
  }

  async #delete(arn: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      // The right to delete hangs on a tag, which what is gone has not: AWS would deny it.
      if (!(await this.#describe(arn))) return;
      try {
        await this.#acm.send(new DeleteCertificateCommand({ CertificateArn: arn }));
        return;
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return;
        if (!(error instanceof ResourceInUseException) || attempt >= this.#inUse.attempts) throw error;
        await new Promise((resolve) => setTimeout(resolve, this.#inUse.intervalMs));
      }
    }
  }

  async #authority({ authorityName }: Subject): Promise<KeyPair> {
    const kept = await this.#authorities.load(authorityName);
    if (kept) return kept;
    throw new Error(
      `the authority of the certificate is gone from the SSM parameter ${authorityName}: restore it, or give all ` +
        'clients another one by a new stack, or take a domain',
    );
  }

  async #describe(arn: string): Promise<CertificateDetail | undefined> {
    try {
      return (await this.#acm.send(new DescribeCertificateCommand({ CertificateArn: arn }))).Certificate;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  }

  async #import(authority: KeyPair, { dnsName, owner }: Subject, arn?: string, now?: Date): Promise<string> {
    const { certificate, privateKey } = await issueCertificate(authority, dnsName, now);
    const { CertificateArn } = await this.#acm.send(
      new ImportCertificateCommand({
        CertificateArn: arn,
        Certificate: Buffer.from(certificate),
        PrivateKey: Buffer.from(privateKey),
        CertificateChain: Buffer.from(authority.certificate),
        Tags: arn ? undefined : [{ Key: ownerTag, Value: owner }], // refused with an ARN
      }),
    );
    if (!CertificateArn) throw new Error('ACM did not say where the certificate is');
    return CertificateArn;
  }
}
