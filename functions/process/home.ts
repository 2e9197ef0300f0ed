import type { Environment } from './settings.ts';

/** Where AWS Lambda says at which address a Web Function must listen, as `host:port`. Nothing else sets it. */
export const webFunctionVariable = 'AWS_LAMBDA_HTTP_ENDPOINT';

/**
 * The environment that settings are read from, once the home of the process has had its say: in a Web Function of AWS
 * Lambda, settings that are not set have the values that suit it (`web-function.ts`); where API_KEY_SECRET or
 * ORIGIN_PROOF_SECRET names a secret, API_KEY or ORIGIN_PROOF is what that holds (`secret.ts`). What only one home
 * needs is loaded there alone.
 *
 * @throws ConfigError for settings that the home can't have, and for a secret that can't be read
 */
export async function homeEnvironment(env: Environment): Promise<Environment> {
  let settings = env;
  if (env[webFunctionVariable]) {
    const { webFunctionEnvironment } = await import('./web-function.ts');
    settings = webFunctionEnvironment(settings);
  }
  const secrets = ['API_KEY', 'ORIGIN_PROOF'].filter((name) => env[`${name}_SECRET`]);
  if (secrets.length > 0) {
    const { withSecrets } = await import('./secret.ts');
    settings = await withSecrets(settings, secrets);
  }
  return settings;
}
