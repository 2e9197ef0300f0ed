// Proves that the check of the pinned Node fails for a version with known holes, names them, and lets pass what is
// accepted of the pinned version alone; and that no acceptance outlives its reason.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compareVersions, isAffected, knownAdvisories } from '../../.ci/node/advisories.ts';
import { pinnedNode } from '../../.ci/node/pinned.ts';

function check(...args: string[]) {
  const script = fileURLToPath(new URL('../../.ci/node/check.ts', import.meta.url));
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
}

describe('a version', () => {
  const advisory = { fixedIn: ['22.23.2', '24.18.1', '26.5.1'] };
  for (const version of ['20.20.2', '22.23.1', '23.11.0', '24.18.0', '24.9.9', '25.9.0', '26.5.0']) {
    it(`${version} has the holes`, () => assert.ok(isAffected(version, advisory)));
  }
  for (const version of ['22.23.2', '24.18.1', '24.100.0', '26.5.1', '27.0.0', '28.1.0']) {
    it(`${version} has none`, () => assert.ok(!isAffected(version, advisory)));
  }

  it('is ordered by numbers', () => {
    const versions = ['24.9.0', '24.10.0', '9.0.0', '24.10.10', '24.10.9'];
    assert.deepEqual(versions.sort(compareVersions), ['9.0.0', '24.9.0', '24.10.0', '24.10.9', '24.10.10']);
  });
});

describe('npm run check:node', () => {
  it('passes for the pinned Node, and names what is accepted', () => {
    const { status, stdout, stderr } = check();
    assert.equal(status, 0, stdout + stderr);
    for (const { cves } of knownAdvisories.filter((it) => isAffected(pinnedNode.version, it))) {
      assert.ok(stdout.includes(cves.join(', ')), stdout);
    }
  });

  it('fails for the version of an image that has holes, accepted for the pin or not', () => {
    const { status, stdout } = check('v24.18.0');
    assert.equal(status, 1);
    assert.match(
      stdout,
      /CVE-2026-56846, CVE-2026-56848.+\n.+\n {2}fixed in 22\.23\.2, 24\.18\.1, 26\.5\.1: https:/,
    );
    assert.equal(
      check(pinnedNode.version).status === 0,
      !knownAdvisories.some((it) => isAffected(pinnedNode.version, it)),
    );
  });

  it('refuses what is no version', () => {
    const { status, stderr } = check('lts');
    assert.equal(status, 2);
    assert.equal(stderr, '"lts" is not a version of Node, such as 24.22.3\n');
  });
});

describe('advisories.json', () => {
  for (const { cves, fixedIn, source, accepted } of knownAdvisories) {
    it(`${cves[0]}: has its source, and is accepted for the pinned version alone`, () => {
      for (const cve of cves) assert.match(cve, /^CVE-20\d\d-\d{4,}$/);
      for (const version of fixedIn) assert.match(version, /^\d+\.\d+\.\d+$/);
      assert.match(source, /^https:\/\/(nodejs\.org|www\.cve\.org)\//);
      if (!accepted) return;
      assert.equal(accepted.version, pinnedNode.version, 'no longer pinned: take the acceptance out');
      assert.ok(isAffected(accepted.version, { fixedIn }), 'nothing to accept');
      assert.match(accepted.because, /^.{20,}\.$/);
    });
  }
});
