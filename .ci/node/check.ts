// npm run check:node [-- VERSION]: names the known holes of the pinned Node, or of that version (of an image, such as
// v24.22.3), and fails when there are any. Of the pinned one, those that advisories.json accepts are named, and fail
// nothing.
import { isAffected, knownAdvisories } from './advisories.ts';
import { pinnedNode } from './pinned.ts';

const [given] = process.argv.slice(2);
const version = (given ?? pinnedNode.version).replace(/^v/, '');
if (!/^\d+\.\d+\.\d+$/.test(version)) {
  console.error(`"${given}" is not a version of Node, such as 24.22.3`);
  process.exit(2);
}

let refused = 0;
for (const advisory of knownAdvisories.filter((it) => isAffected(version, it))) {
  const { cves, about, fixedIn, source, accepted } = advisory;
  const because = given === undefined && accepted?.version === version ? accepted.because : undefined;
  if (because === undefined) refused++;
  console.log(`Node ${version} has ${cves.join(', ')}`);
  console.log(`  ${about}`);
  console.log(`  fixed in ${fixedIn.join(', ')}: ${source}`);
  if (because !== undefined) console.log(`  accepted: ${because}`);
}
if (refused > 0) {
  console.error(
    `Node ${version} is not fit for use.${given === undefined ? ' `npm run raise:node` pins a later one.' : ''}`,
  );
  process.exit(1);
}
console.log(`Node ${version}: nothing is known that is not accepted above`);
