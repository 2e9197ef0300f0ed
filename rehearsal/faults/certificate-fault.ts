import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { Fault } from '../fault.ts';
import type { Stage } from '../stage.ts';

/** Calls are made for so long on connections of before and new ones. */
const callsForMs = 8_000;

export const certificate: Fault = {
  says: "The certificate is old. The stack's own schedule renews it under load: new connections get it, and no call fails.",
  async run(stage) {
    const { aws, deployed, journal } = stage;
    const before = await served(stage);
    await aws.ageCertificates();
    for (const { properties } of deployed.all('AWS::Events::Rule')) {
      for (const { Arn, Input } of properties.Targets ?? []) {
        if (Input?.includes(':certificate/')) await aws.invoke(Arn, JSON.parse(Input));
      }
    }
    const isNew = await stage.presentCertificate();
    if (!isNew) return { problems: ['the certificate was not renewed'] };
    const problems: string[] = [];
    let after = before;
    for (let attempt = 0; attempt < 50 && after === before; attempt++) after = await served(stage);
    if (after === before) problems.push('new connections still get the former certificate');
    await sleep(callsForMs);
    journal.say(`certificate ${before} was renewed as ${after}`);
    return { problems };
  },
};

/** The serial number of the certificate that a new connection gets; it must be one that clients trust. */
async function served(stage: Stage): Promise<string> {
  const { url, ca, serverName } = await stage.endpoint();
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca, servername: serverName });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
