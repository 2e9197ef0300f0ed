// Prints what callers far from the table wait for, as docs/homes.md has it: `npx node infra/far-regions.ts`. The table
// is in one region, so that a function elsewhere asks it over the way between them.
import costs from './call-costs.json' with { type: 'json' };
import { callWireBytes, prices } from './prices.ts';

/** Where regions are, in degrees: the cities that AWS names them after. */
const places = {
  'us-west-2': [45.6, -121.2],
  'eu-west-1': [53.3, -6.3],
  'eu-central-1': [50.1, 8.7],
  'sa-east-1': [-23.5, -46.6],
  'ap-northeast-1': [35.7, 139.7],
  'ap-southeast-2': [-33.9, 151.2],
} as const;

/** The region of the table. */
const home = { name: 'us-east-1', place: [39, -77.5] } as const;

/** Light in fibre, whose refractive index is about 1.5; and a cable's way beside the shortest on a globe, assumed. */
const kilometersPerMs = 200;
const detour = 1.5;

/** A new connection asks twice before its first call: TCP, and TLS 1.3. */
const handshakes = 2;

/**
 * So often, one after the other, the table is asked where one call is under way: once for a look-up and for a sign-up,
 * and for an account by its name twice, for whose it is and for the account
 * (`functions/users/stores/dynamodb-account.ts`).
 */
const requests = {
  lookUp: costs.lookUp[0]?.requests ?? 0,
  signUp: costs.signUp[0]?.requests ?? 0,
  account: 2,
};

/** The shortest way on the globe, in km: haversine. */
function kilometers(
  [fromLat, fromLong]: readonly [number, number],
  [toLat, toLong]: readonly [number, number],
) {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const half = (from: number, to: number) => Math.sin(radians(to - from) / 2) ** 2;
  const part =
    half(fromLat, toLat) + Math.cos(radians(fromLat)) * Math.cos(radians(toLat)) * half(fromLong, toLong);
  return 2 * 6371 * Math.asin(Math.sqrt(part));
}

/** The table of the page: milliseconds of the way alone, for a caller beside each far region. */
export function farRegions(): string {
  const rows = Object.entries(places).map(([name, place]) => {
    const trip = (2 * kilometers(home.place, place) * detour) / kilometersPerMs;
    const cells = [
      trip,
      trip * (1 + handshakes),
      Math.max(requests.lookUp, requests.signUp) * trip,
      requests.account * trip,
    ];
    return `| ${name} | ${cells.map((it) => it.toFixed(0)).join(' | ')} |`;
  });
  return [
    '| caller beside | one region: a call | the first of a connection | `regions`: a look-up, a sign-up | an account by its name |',
    `| --- |${' ---: |'.repeat(4)}`,
    ...rows,
  ].join('\n');
}

/** What the way costs besides, in US dollars for a million sign-ups that a function elsewhere serves. */
export function farDollars(): number {
  return ((requests.signUp * 1e6 * callWireBytes) / 1e9) * prices.betweenRegionsGigabyte;
}

if (import.meta.main) {
  console.log(farRegions());
  console.log(`transfer between regions, of a million sign-ups: ${farDollars().toFixed(2)} dollars`);
}
