// Runs the public conformance suites: npm run test:conformance [-- server client interop h2spec]
// Needs Go (see .ci/tools/go), and says so.
import { h2spec } from './h2spec.ts';
import { interop } from './interop.ts';
import { type Counts, connectSuite } from './suite.ts';
import { MissingTool } from './tool.ts';

const parts: Record<string, { readonly title: string; readonly run: () => Promise<Counts> }> = {
  server: { title: "Connect's conformance suite, our server", run: () => connectSuite('server') },
  client: {
    title: "Connect's conformance suite, the typed client's transport",
    run: () => connectSuite('client'),
  },
  interop: { title: "gRPC's interop tests, grpc-go's client", run: interop },
  h2spec: { title: 'h2spec', run: h2spec },
};

const asked = process.argv.slice(2);
const unknown = asked.find((it) => !(it in parts));
if (unknown !== undefined) {
  console.error(`There is no part "${unknown}": choose from ${Object.keys(parts).join(', ')}.`);
  process.exit(2);
}
const total = { passed: 0, failed: 0 };
for (const [name, { title, run }] of Object.entries(parts)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.log(`\n== ${title}`);
  try {
    const { passed, failed } = await run();
    total.passed += passed;
    total.failed += failed;
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    total.failed++;
    console.log(`Not run, which counts as a failure: ${error.message}`);
  }
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
