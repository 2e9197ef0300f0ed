import type { Stage } from './stage.ts';

/**
 * Destroys the stack, and looks what is left.
 *
 * @throws Error that lists it, unless it was kept on purpose
 */
export async function leftovers(stage: Stage): Promise<void> {
  const { aws, deployed, journal, subject } = stage;
  const kinds = ['AWS::DynamoDB::', 'AWS::SecretsManager::', 'AWS::Logs::LogGroup', 'AWS::S3::'];
  const kept = new Set(kinds.flatMap((it) => deployed.idsOf(it)));
  await stage.cdk('destroy', subject.stack, '--force', ...stage.options());
  const retained = await aws.retained();
  for (const { type, id } of retained) journal.say(`kept on purpose: ${type} ${id}`);
  const left = retained.filter((it) => !kept.has(it.id)).map(({ type, id }) => `${type} ${id}`);
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
