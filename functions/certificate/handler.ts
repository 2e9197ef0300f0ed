import { answer, neverCreated, type ResourceEvent, type ResourceState } from './cloudformation.ts';
import type { SelfIssuedCertificates, Subject } from './self-issued.ts';

/** The daily event that `infra/self-issued-certificate.ts` schedules. */
export interface RenewalEvent {
  readonly renew: { readonly arn: string; readonly properties: Readonly<Record<string, unknown>> };
}

/**
 * Makes the Lambda handler: for the custom resource's create, update and delete, and for the daily look whether to
 * renew.
 */
export function createHandler(certificates: SelfIssuedCertificates) {
  return async (event: ResourceEvent | RenewalEvent): Promise<void> => {
    if ('renew' in event) {
      const { arn, properties } = event.renew;
      const renewed = await certificates.renew(subject(properties), arn);
      console.log(renewed ? `renewed ${arn}` : `${arn} is valid for long enough`);
    } else {
      await answer(event, (request) => apply(certificates, request));
    }
  };
}

async function apply(certificates: SelfIssuedCertificates, event: ResourceEvent): Promise<ResourceState> {
  const { RequestType, ResourceProperties, PhysicalResourceId, OldResourceProperties } = event;
  const arn = PhysicalResourceId ?? neverCreated;
  if (RequestType === 'Delete') {
    await certificates.remove(subject(ResourceProperties), arn === neverCreated ? undefined : arn);
    return { physicalResourceId: arn };
  }
  const wanted = subject(ResourceProperties);
  // Another name makes another certificate with an authority of its own; CloudFormation then deletes the former one.
  const same =
    RequestType === 'Update' && subject(OldResourceProperties ?? {}).authorityName === wanted.authorityName;
  const issued = same ? await certificates.adopt(wanted, arn) : await certificates.create(wanted);
  return { physicalResourceId: issued.arn, data: { Authority: issued.authority } };
}

/** The resource's properties, checked: CloudFormation passes on whatever the template says. */
function subject({ DnsName, AuthorityPrefix, Owner }: Readonly<Record<string, unknown>>): Subject {
  if (typeof DnsName !== 'string' || typeof AuthorityPrefix !== 'string') {
    throw new TypeError('the properties DnsName and AuthorityPrefix are needed');
  }
  // Resources of an earlier version have no owner.
  const owner = typeof Owner === 'string' ? Owner : AuthorityPrefix;
  return { dnsName: DnsName, authorityName: `${AuthorityPrefix}/${DnsName}`, owner };
}
