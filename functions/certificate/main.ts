import { ACMClient } from '@aws-sdk/client-acm';
import { SSMClient } from '@aws-sdk/client-ssm';
import { ssmAuthorityStore } from './authority-store.ts';
import { createHandler } from './handler.ts';
import { SelfIssuedCertificates } from './self-issued.ts';

/** What Lambda calls. */
export const handler = createHandler(
  new SelfIssuedCertificates(new ACMClient(), ssmAuthorityStore(new SSMClient())),
);
