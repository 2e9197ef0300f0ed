// The end-to-end suite against the bundle as a Web Function, from its zip, behind a stand-in of the platform: with a
// key that the function reads from Secrets Manager, on DynamoDB. What can't work there is proven to fail
// (test/e2e/home.ts): `npm run test:function`.
import { webFunction } from '../e2e/home.ts';
import { endToEnd } from '../e2e/suite.ts';
import { endpoint, withoutEndpoint } from '../users/stores/dynamodb-setting.ts';
import { startFunction } from './setting.ts';

if (endpoint === undefined) withoutEndpoint('end to end, as a Web Function');
else {
  const dynamodb = endpoint;
  endToEnd(
    'end to end, as a Web Function',
    async () => {
      const running = await startFunction(dynamodb);
      return { ...running.target, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
    },
    webFunction,
  );
}
