// Proves docs/one-machine.md: its files and commands set the service up on a machine whose process 1 is systemd, where
// it starts, is started again, drains, is upgraded behind nginx without a failed call, takes a renewed certificate and
// has its log rotated. That needs root on Linux; the figures of the page are compared with the limits everywhere.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, it, test } from 'node:test';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { limits } from '../../functions/limits.ts';
import { Users } from '../../proto/gen/users_pb.js';
import { createAuthority } from '../support/certificates.ts';
import { root } from '../support/process.ts';
import { blocksOf } from './blocks.ts';
import { shownFile, shownFiles } from './one-machine-files.ts';
import { SystemdMachine } from './one-machine-systemd.ts';

const page = 'docs/one-machine.md';
const unitFile = '/etc/systemd/system/users@.service';
const hook = '/etc/letsencrypt/renewal-hooks/deploy/users.sh';

/** The n-th commands of a section, with a name for the version. */
function commands(section: string, version: string, index = 0): string {
  const blocks = blocksOf(page).filter(
    ({ section: of, language, text }) => of === section && language === 'sh' && !text.startsWith('#!'),
  );
  const { text } = blocks[index] ?? assert.fail(`the page has no such commands: ${section}`);
  return text.replaceAll('VERSION', version);
}

/** The value of a unit's setting. */
function valueIn(text: string, setting: string): string {
  return new RegExp(`^${setting}=(.*)$`, 'm').exec(text)?.[1] ?? assert.fail(`there is no ${setting}=`);
}

test('a drain ends before systemd and podman lose patience', () => {
  const { drainDelayMs, drainTimeoutMs, goawayTimeoutMs, flushTimeoutMs } = limits;
  const drainSeconds = (drainDelayMs + drainTimeoutMs + goawayTimeoutMs + flushTimeoutMs) / 1000;
  const stopSeconds = Number(valueIn(shownFile(unitFile), 'TimeoutStopSec'));
  const container = shownFile('/etc/containers/systemd/users.container');
  const podmanSeconds = Number(/--stop-timeout=(\d+)/.exec(container)?.[1]);
  assert(stopSeconds > drainSeconds, `${stopSeconds} s for a drain of ${drainSeconds} s`);
  assert(podmanSeconds > drainSeconds, `${podmanSeconds} s for a drain of ${drainSeconds} s`);
  assert(Number(valueIn(container, 'TimeoutStopSec')) > podmanSeconds);
});

test('the unit lets as many connections in as the service does', () => {
  assert(Number(valueIn(shownFile(unitFile), 'LimitNOFILE')) > limits.maxConnections);
});

const reason = await SystemdMachine.missing();
if (reason !== undefined) {
  test('the commands of the page, on a machine with systemd', (context) => {
    assert.notEqual(process.env.REQUIRE_SYSTEMD, '1', reason);
    context.skip(reason);
  });
} else {
  describe('the commands of the page, on a machine with systemd', { timeout: 300_000 }, () => {
    let machine: SystemdMachine;
    let authority: Awaited<ReturnType<typeof createAuthority>>;

    before(async () => {
      machine = await SystemdMachine.start(['v1', 'v2']);
      authority = await createAuthority();
      for (const { path, text } of shownFiles()) {
        if (!/service\.d\/|users\.env$/.test(path))
          machine.write(path, text, text.startsWith('#!') ? 0o755 : 0o644);
      }
      machine.write('/root/ca.pem', authority.ca);
      // The release is there already.
      await machine.run(`git() { :; }; npm() { :; }; ${commands('Install', 'v1')}`);
      await machine.run(commands('Settings and callers', 'v1'));
    });
    after(() => machine?.[Symbol.asyncDispose]());

    /** Has certbot's hook run, with a new certificate. */
    async function renew(): Promise<void> {
      const { cert, key } = await authority.issue({ dns: ['users.example.com'], ip: ['127.0.0.1'] });
      machine.write('/root/lineage/fullchain.pem', cert);
      machine.write('/root/lineage/privkey.pem', key, 0o600);
      await machine.run(`RENEWED_LINEAGE=/root/lineage ${hook}`);
    }
    /** Waits until new connections to port 443 get the certificate that was renewed last. */
    const serves = () =>
      machine.run(`
        fingerprint() { openssl x509 -noout -fingerprint; }
        until [ "$(openssl s_client -connect 127.0.0.1:443 2>&1 </dev/null | fingerprint 2>&1)" \\
          = "$(fingerprint </root/lineage/fullchain.pem)" ]; do sleep 0.1; done`);

    it('the units are sound, and the service can do little', async () => {
      const units = 'users@1.service users-backup.service users-backup.timer';
      await machine.run(`cd /etc/systemd/system && systemd-analyze verify ${units}`);
      await machine.run('systemd-analyze security --offline=true --threshold=15 users@1.service');
    });

    it('both instances start, and answer whoever has the key', async () => {
      assert.match(await machine.run(commands('The unit', 'v1')), /User created: tom/);
      const tom = 'users get tom --endpoint unix:/run/users-2/users.sock';
      await machine.run(`${tom} --token-file /root/billing.key`);
      assert.match((await machine.try(tom)).output, /UNAUTHENTICATED/);
    });

    it('its files are its own, and its socket is for its group', async () => {
      const modes = await machine.run(
        'stat -c "%n %a %U" /var/lib/users /run/users-1 /run/users-1/users.sock',
      );
      assert.match(modes, /^\/var\/lib\/users 700 usersd\n\/run\/users-1 750 usersd\n\S+ 770 usersd\n/);
      const ask = 'curl -sS --unix-socket /run/users-1/users.sock http://localhost/healthz';
      assert.match((await machine.try(`runuser -u nobody -- ${ask}`)).output, /Couldn't connect/);
      await machine.run(`runuser -u nobody -g usersd -- ${ask}`);
    });

    it('one that is killed is started again', async () => {
      const restarts = '$(systemctl show -P NRestarts users@1)';
      await machine.run(`systemctl kill -s KILL users@1; until [ ${restarts} = 1 ]; do sleep 0.1; done`);
      await machine.run('systemctl start users@1; curl -sf http://127.0.0.1:9164/readyz');
    });

    it('a stop lets a call end that is under way', async () => {
      const path = machine.seen('/run/users-1/users.sock');
      const users = createClient(
        Users,
        createGrpcTransport({
          baseUrl: 'http://localhost',
          nodeOptions: {
            createConnection: () => net.connect(path),
            // So little is taken ahead that the server can't be done before it is told to stop.
            settings: { initialWindowSize: 1_000 },
          },
        }),
      );
      const token = readFileSync(machine.seen('/root/billing.key'), 'utf8').trim();
      const headers = { authorization: `Bearer ${token}` };
      const user = Array(10_000).fill({ username: 'tom' });
      let received = 0;
      let stopped: Promise<string> | undefined;
      for await (const _ of users.getUsers({ user }, { headers })) {
        received++;
        if (stopped !== undefined) continue;
        stopped = machine.run('systemctl stop users@1');
        await machine.run(
          'until [ "$(systemctl show -P SubState users@1)" = stop-sigterm ]; do sleep 0.05; done',
        );
      }
      assert.equal(received, user.length);
      await stopped;
      assert.equal(await machine.run('systemctl show -P Result users@1'), 'success\n');
      assert.match(await machine.run('journalctl -u users@1 -o cat -n 20'), /"msg":"drained"/);
      await machine.run('systemctl start users@1');
    });

    it('the log can be asked for calls that failed', async () => {
      const lines = await machine.run(commands('Logs', 'v1'));
      assert.match(lines, /^\{"method":"\/Users\/GetUsers","code":"UNAUTHENTICATED",/m);
    });

    it('an upgrade behind nginx, and the way back, fail no call', async () => {
      machine.write('/etc/users/users.env', 'TRUSTED_PROXIES=1\nWORKERS=2\n', 0o600);
      await machine.run('usermod -aG usersd www-data; systemctl restart users@1 users@2');
      await renew();
      await machine.run('nginx -t; systemctl start nginx');
      const upgrade = `git() { :; }; npm() { :; }; ${commands('Upgrade and roll back', 'v2')}`;
      const back = upgrade.replaceAll('v2', 'v1');
      await machine.reach(
        process.execPath,
        `${root}/test/peers/proxied-under-load.ts`,
        ...['https://127.0.0.1:443', machine.seen('/root/ca.pem'), machine.seen('/root/billing.key'), '--'],
        ...machine.command(`${upgrade}\n${back}`),
      );
      assert.equal(await machine.run('readlink /opt/users/[12]'), 'releases/v1\nreleases/v1\n');
    });

    it('a new version that does not start leaves the other instance alone', async () => {
      await machine.run('mkdir -p /opt/users/releases/v3');
      const upgrade = `git() { :; }; npm() { :; }; ${commands('Upgrade and roll back', 'v3')}`;
      assert.notEqual((await machine.try(upgrade)).code, 0);
      assert.equal(await machine.run('readlink /opt/users/[12]'), 'releases/v3\nreleases/v1\n');
      await machine.run(
        'systemctl is-active users@2; ln -sfn releases/v1 /opt/users/1; systemctl restart users@1',
      );
    });

    it('a backup is made while the service runs, and put back', async () => {
      const client = '--endpoint unix:/run/users-1/users.sock --token-file /root/billing.key';
      await machine.run(`systemctl start users-backup; users create later ${client}`);
      const backup = (await machine.run('ls /var/lib/users-backups/*.sqlite | tail -n 1')).trim();
      await machine.run(
        commands('Backup and restore', 'v1').replace('/var/lib/users-backups/FILE.sqlite', backup),
      );
      assert.match(await machine.run(`users get tom later ${client}`), /^tom .*\nlater +not found$/m);
    });

    it('nginx takes a certificate that certbot has renewed', async () => {
      await serves();
      await renew();
      await serves();
      await machine.run('systemctl stop nginx users@2');
    });

    it('so does the service without a proxy, at a port that only root may open', async () => {
      machine.write('/etc/users/users.env', shownFile('/etc/users/users.env'), 0o600);
      const portFile = `${unitFile}.d/port.conf`;
      machine.write(portFile, shownFile(portFile));
      await machine.run('systemctl daemon-reload; systemctl restart users@1');
      await serves();
      await renew();
      await serves();
    });

    it('logrotate empties the log under the server, which goes on at its start', async () => {
      const logFile = `${unitFile}.d/log.conf`;
      await machine.run(commands('Logs', 'v1', 1));
      machine.write(logFile, shownFile(logFile));
      await machine.run('systemctl daemon-reload; systemctl restart users@1');
      const call = (id: string) =>
        machine.run(`
          curl -s --cacert /root/ca.pem -H 'x-request-id: ${id}' https://127.0.0.1/users/ -o /dev/null
          until grep -q '"${id}"' /var/log/users/1.log; do sleep 0.05; done`);
      await call('before');
      await machine.run('logrotate --force /etc/logrotate.d/users');
      await call('after');
      assert.match(await machine.run('zcat /var/log/users/1.log.1.gz'), /"before"/);
      const lines = (await machine.run('cat /var/log/users/1.log')).trimEnd().split('\n');
      assert.deepEqual(lines.map((line) => JSON.parse(line).requestId).filter(Boolean), ['after']);
    });
  });
}
