import type { Stage } from './stage.ts';

/** What a stack may keep on purpose ("Tear down" in docs/operating.md): data, keys, and the log that says why. */
const keepable = ['AWS::DynamoDB::', 'AWS::SecretsManager::', 'AWS::Logs::LogGroup', 'AWS::S3::Bucket'];

/**
 * Destroys the stack, and looks what is left.
 *
 * @throws Error that lists it, unless it was kept on purpose
 */
export async function leftovers(stage: Stage): Promise<void> {
  const { aws, deployed, journal } = stage;
  const kept = new Set(keepable.flatMap((type) => deployed.idsOf(type)));
  await stage.cdk.destroy();
  const retained = await aws.retained();
  const left: string[] = [];
  for (const { type, id } of retained) {
    if (kept.has(id)) journal.say(`kept on purpose: ${type} ${id}`);
    else left.push(`${type} ${id}`);
  }
  const list = async (service: string, action: string, key: string, name: string): Promise<string[]> => {
    // The wire: lists of AWS's APIs.
    const found = (await aws.json(service, action, {}))[key] as readonly Record<string, string>[];
    return found.map((it) => `${service} ${it[name]}`);
  };
  const secrets = await list('secretsmanager', 'secretsmanager.ListSecrets', 'SecretList', 'ARN');
  left.push(
    ...secrets.filter((it) => !kept.has(it.replace('secretsmanager ', ''))),
    ...(await list('acm', 'CertificateManager.ListCertificates', 'CertificateSummaryList', 'CertificateArn')),
    ...(await list('ssm', 'AmazonSSM.DescribeParameters', 'Parameters', 'Name')).filter(
      (it) => !it.includes('cdk-bootstrap'),
    ),
  );
  if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`);
  journal.say('nothing else is left');
}
