import {
  type ACMClient,
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
}

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

  /** Issues a certificate and imports it; the authority is made where there is none yet. */
  async create(subject: Subject): Promise<IssuedCertificate> {
    const authority = await this.#authority(subject);
    const arn = await this.#import(authority, subject);
    return { arn, authority: authority.certificate };
  }

  /** The authority of a certificate that exists. */
  async read(subject: Subject, arn: string): Promise<IssuedCertificate> {
    return { arn, authority: (await this.#authority(subject)).certificate };
  }

  /**
   * Issues the certificate anew under the same ARN when it is about to expire: its load balancers take it over
   * within minutes, and no connection is closed.
   *
   * @returns whether it was renewed
   */
  async renew(subject: Subject, arn: string, now = new Date()): Promise<boolean> {
    const { Certificate } = await this.#acm.send(new DescribeCertificateCommand({ CertificateArn: arn }));
    const expires = Certificate?.NotAfter;
    if (expires && expires.getTime() - now.getTime() > renewBeforeDays * dayMs) return false;
    await this.#import(await this.#authority(subject), subject, arn, now);
    return true;
  }

  /** Removes the certificate, once nothing uses it any more, and its authority; what is gone already is no error. */
  async remove(subject: Subject, arn: string | undefined): Promise<void> {
    if (arn) await this.#delete(arn);
    await this.#authorities.remove(subject.authorityName);
  }

  async #delete(arn: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
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

  async #authority({ dnsName, authorityName }: Subject): Promise<KeyPair> {
    const kept = await this.#authorities.load(authorityName);
    if (kept) return kept;
    const made = await createAuthority(dnsName);
    await this.#authorities.save(authorityName, made);
    return made;
  }

  async #import(authority: KeyPair, { dnsName }: Subject, arn?: string, now?: Date): Promise<string> {
    const { certificate, privateKey } = await issueCertificate(authority, dnsName, now);
    const { CertificateArn } = await this.#acm.send(
      new ImportCertificateCommand({
        CertificateArn: arn,
        Certificate: Buffer.from(certificate),
        PrivateKey: Buffer.from(privateKey),
        CertificateChain: Buffer.from(authority.certificate),
      }),
    );
    if (!CertificateArn) throw new Error('ACM did not say where the certificate is');
    return CertificateArn;
  }
}
