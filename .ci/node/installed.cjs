// Runs at the end of `npm ci`, so that every script runs on the pinned Node; and before the scripts with which people
// begin, since `ignore-scripts` keeps it from running there. CommonJS and old JavaScript: any Node starts it.
const { existsSync, mkdirSync, symlinkSync, writeFileSync } = require('node:fs');

const [major, minor] = process.versions.node.split('.').map(Number);
const platform = process.platform === 'win32' ? 'win' : process.platform;
const pinned = `node-${platform}-${process.arch}`;

if (platform === 'win') allowExec();
if (existsSync(`node_modules/${pinned}`)) {
  restoreLink();
} else if (major < 24 || (major === 24 && minor < 2)) {
  // Instead of the stack trace about ".ts" that an old Node ends every script with.
  console.error(
    `This needs Node 24.2 or later, and npm brings none for ${process.platform}-${process.arch}: \
install one from https://nodejs.org. (This is ${process.version}.)`,
  );
  process.exit(1);
}

/**
 * The scripts say `exec node`, so that no shell stands between npm and Node, and swallows SIGTERM. The shell of Windows
 * has no `exec`; npm finds this one.
 */
function allowExec() {
  mkdirSync('node_modules/.bin', { recursive: true });
  writeFileSync('node_modules/.bin/exec.cmd', '@%*\r\n');
}

/**
 * npm 10 drops `node` from node_modules/.bin with the packages of other platforms, which have the same name for it;
 * npm 11 doesn't.
 */
function restoreLink() {
  const link = `node_modules/.bin/node${platform === 'win' ? '.cmd' : ''}`;
  if (existsSync(link)) return;
  mkdirSync('node_modules/.bin', { recursive: true });
  if (platform === 'win') return writeFileSync(link, `@"%~dp0..\\${pinned}\\bin\\node.exe" %*\r\n`);
  try {
    symlinkSync(`../${pinned}/bin/node`, link);
  } catch (error) {
    // Another script was quicker.
    if (error.code !== 'EEXIST') throw error;
  }
}
